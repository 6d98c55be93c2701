import StageKit
import Testing

@Test func `a system library is opened and called`() throws {
    let library = try DynamicLibrary("libnot-there.so.9", "libm.so.6", package: "libc6")
    let root = try library.symbol("sqrt", as: (@convention(c) (Double) -> Double).self)
    #expect(root(9) == 3)
}

@Test func `a missing library or function names the package that brings it`() throws {
    let missing = #expect(throws: DynamicLibraryError.self) {
        _ = try DynamicLibrary("libnot-there.so.9", package: "libnot-there9")
    }
    #expect(missing?.description.contains("libnot-there.so.9: cannot be opened") == true)
    #expect(missing?.description.hasSuffix("install it with: apt-get install libnot-there9") == true)
    let library = try DynamicLibrary("libm.so.6", package: "libc6")
    let function = #expect(throws: DynamicLibraryError.self) {
        _ = try library.symbol("no_such_function", as: (@convention(c) () -> Void).self)
    }
    #expect(function?.description == "libm.so.6: has no function no_such_function; a newer one is needed: apt-get install libc6")
}
