import Glibc
import LinuxIO

/// `step < input | step | step > output`, as a shell would run it.
enum NativePipe {
    /// - Returns: Wall time until the last has ended, and the processor time of all.
    static func run(
        _ steps: [String], from input: String, to output: String, _ setting: Setting
    ) throws(BenchError) -> Child.Usage {
        var source = try onSystem { () throws(SystemError) in try Descriptor.open(input, flags: O_RDONLY) }
        var children: [Child] = []
        for (index, step) in steps.enumerated() {
            let words = [setting.programs.native, step]
            if index == steps.count - 1 {
                let target = try onSystem { () throws(SystemError) in
                    try Descriptor.open(output, flags: O_WRONLY | O_CREAT | O_TRUNC)
                }
                children.append(
                    try Child.start(words, in: setting.scratch, input: source.number, output: target.number, error: 2))
            } else {
                let ends = try onSystem { () throws(SystemError) in try PipeEnds.make() }
                children.append(
                    try Child.start(words, in: setting.scratch, input: source.number, output: ends.write.number, error: 2))
                source = ends.takeRead()
            }
        }
        // Each pipe must have its readers and writers in the programs only.
        _ = consume source
        var total = Child.Usage(seconds: 0, processorSeconds: 0, status: 0)
        let begun = children[0].begun
        for (child, step) in zip(children, steps) {
            let usage = try child.wait()
            guard usage.status == 0 else { throw .failed("\(step): found exit \(usage.status), expected 0") }
            total.processorSeconds += usage.processorSeconds
            total.seconds = max(total.seconds, Double(child.begun - begun) / 1e9 + usage.seconds)
        }
        return total
    }
}
