import Glibc

/// The file of a plugin, looked at before the loader sees it: the loader's own words for a wrong file help nobody.
enum LibraryFile {
    private static let sharedObject: UInt16 = 3

    #if arch(x86_64)
        private static let machine: (number: UInt16, name: String) = (62, "x86-64")
    #elseif arch(arm64)
        private static let machine: (number: UInt16, name: String) = (183, "AArch64")
    #endif

    /// Refuses what is not a shared library for this machine.
    static func check(_ path: String) throws(Refusal) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let error = errno
            throw error == ENOENT
                ? Refusal(path, found: "no such file", expected: "a plugin", hint: "check the path, or build the plugin")
                : Refusal(path, found: errorText(error), expected: "a readable file", hint: "check its permissions")
        }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: 64)
        let got = unsafe header.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        guard got >= 0 else {
            throw Refusal(path, found: errorText(errno), expected: "a readable file", hint: "name the library itself")
        }
        guard got > 0 else {
            throw Refusal(path, found: "an empty file", expected: "a shared library (.so)", hint: "build it again; was the disk full?")
        }
        guard got >= 4, header[0...3] == [0x7F, 0x45, 0x4C, 0x46] else {
            throw Refusal(
                path, found: "a file that is not ELF", expected: "a shared library (.so)",
                hint: "name the built library, not its source")
        }
        guard got >= 64, header[4] == 2, header[5] == 1 else {
            throw Refusal(
                path, found: got < 64 ? "an ELF file of \(got) bytes" : header[4] == 1 ? "a 32-bit ELF file" : "a foreign ELF file",
                expected: "a 64-bit little-endian shared library", hint: "build the plugin for \(machine.name)")
        }
        let type = UInt16(header[16]) | UInt16(header[17]) << 8
        let number = UInt16(header[18]) | UInt16(header[19]) << 8
        guard number == machine.number else {
            throw Refusal(
                path, found: "a library for \(name(ofMachine: number))", expected: "\(machine.name)",
                hint: "build the plugin for this machine")
        }
        guard type == sharedObject else {
            throw Refusal(
                path, found: type == 1 ? "an object file" : type == 2 ? "an executable" : "an ELF file of type \(type)",
                expected: "a shared library", hint: "link it with -shared -fPIC")
        }
        try LibraryExtent.check(path, descriptor, header)
    }

    private static func name(ofMachine number: UInt16) -> String {
        switch number {
        case 3: "x86 (32 bits)"
        case 40: "ARM (32 bits)"
        case 62: "x86-64"
        case 183: "AArch64"
        case 243: "RISC-V"
        default: "machine \(number)"
        }
    }
}
