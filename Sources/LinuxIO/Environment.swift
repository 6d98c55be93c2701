import Glibc

/// The environment of this process, as it is handed on: entries of the form NAME=VALUE.
package func environmentStrings() -> [String] {
    var strings: [String] = []
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
        strings.append(unsafe String(cString: text))
        unsafe entry += 1
    }
    return strings
}
