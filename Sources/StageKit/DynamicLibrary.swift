import Glibc

/// A system C library, opened at run time, so that neither the build nor the plugin file depends on it.
///
///     let math = try DynamicLibrary("libm.so.6", package: "libc6")
///     let cosine = try math.symbol("cos", as: (@convention(c) (Double) -> Double).self)
///
/// The library stays open as long as this object lives; keep it at least as long as its functions.
@safe public final class DynamicLibrary: @unchecked Sendable {
    // dlopen handles may be used from any thread.
    private let handle: UnsafeMutableRawPointer
    private let name: String
    private let package: String

    /// Opens the first of `names` that is found. `package` is the Debian package that brings it.
    public init(_ names: String..., package: String) throws {
        var complaints: [String] = []
        for name in names {
            if let handle = unsafe dlopen(name, RTLD_NOW | RTLD_LOCAL) {
                unsafe self.handle = handle
                self.name = name
                self.package = package
                return
            }
            complaints.append(unsafe dlerror().map { unsafe String(cString: $0) } ?? "no reason given")
        }
        throw DynamicLibraryError(
            description: "\(names.joined(separator: ", ")): cannot be opened (\(complaints.joined(separator: "; "))); "
                + "install it with: apt-get install \(package)")
    }

    /// The function called `name`. `type` must be its C type, written `(@convention(c) (…) -> …).self`: nothing can
    /// check that it is the right one.
    public func symbol<Function>(_ name: String, as type: Function.Type) throws -> Function {
        unsafe precondition(
            MemoryLayout<Function>.size == MemoryLayout<UnsafeMutableRawPointer>.size,
            "\(name): a symbol is looked up as a C function, not as \(type)")
        guard let address = unsafe dlsym(handle, name) else {
            throw DynamicLibraryError(
                description: "\(self.name): has no function \(name); a newer one is needed: apt-get install \(package)")
        }
        return unsafe unsafeBitCast(address, to: type)
    }

    deinit {
        unsafe dlclose(handle)
    }
}

/// A library or a function of it is missing.
public struct DynamicLibraryError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}
