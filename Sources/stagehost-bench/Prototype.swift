/// The C prototype of a host: see `Sources/CBench/native/prototype.c`.
enum Prototype {
    static func run(_ input: String, to output: String, _ setting: Setting) throws(BenchError) -> Child.Usage {
        let words = [setting.programs.native, "prototype", input, output, setting.scratch.file("prototype.checkpoint")]
        let usage = try Child.start(words, in: setting.scratch, error: 2).wait()
        guard usage.status == 0 else { throw .failed("prototype: found exit \(usage.status), expected 0") }
        return usage
    }
}
