import Glibc

enum LibCurl {
    /// Whether libcurl can be opened here.
    static var isThere: Bool {
        for name in ["libcurl.so.4", "libcurl-gnutls.so.4"] {
            if let handle = unsafe dlopen(name, RTLD_LAZY) {
                unsafe dlclose(handle)
                return true
            }
        }
        return false
    }
}
