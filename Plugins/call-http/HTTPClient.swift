import CallHTTPClient
import StageKit

/// What is sent for one record.
struct HTTPRequest {
    var method: String
    var url: String
    var headers: [String]
    var body: [UInt8]?
}

/// What came back.
struct HTTPAnswer {
    enum Outcome {
        /// An answer with this status.
        case status(Int)
        /// Took too long, or the connection was not to be had, or broke.
        case timeout, connection
        case tooLarge
        /// Cannot be sent as it is.
        case refused
    }

    var tag: UInt64
    var outcome: Outcome
    var retryAfterSeconds: Int64
    /// What libcurl says about anything but a status.
    var error: String
    var body: [UInt8]
}

/// The C client, with its pointers. One thread at a time uses it; any thread may wake it.
@safe final class HTTPClient: @unchecked Sendable {
    struct Options {
        var timeoutMilliseconds: Int64
        var connectTimeoutMilliseconds: Int64
        var maximumRedirects: Int
        var maximumAnswerBytes: Int
        var certificates: String?
    }

    private let client: OpaquePointer
    // libcurl reads a body from where it is until the answer is there.
    private var bodies: [UInt64: UnsafeMutableRawBufferPointer] = unsafe [:]

    /// Throws a fatal failure when libcurl is missing.
    init(_ options: Options) throws {
        var message = [CChar](repeating: 0, count: 512)
        let opened = unsafe options.certificates.withOptionalCString { certificates in
            var raw = unsafe http_options(
                timeout_ms: options.timeoutMilliseconds, connect_timeout_ms: options.connectTimeoutMilliseconds,
                max_redirects: Int64(options.maximumRedirects), max_answer_bytes: options.maximumAnswerBytes,
                ca_file: certificates)
            return unsafe http_client_new(&raw, &message, message.count)
        }
        guard let opened = unsafe opened else {
            throw StageFailure.fatal(String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        unsafe client = opened
    }

    deinit {
        unsafe http_client_free(client)
        for unsafe body in unsafe bodies.values { unsafe body.deallocate() }
    }

    /// Begins a request. Throws when there is no memory for it.
    func start(_ request: HTTPRequest, tag: UInt64) throws {
        var copy = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
        if let body = request.body {
            unsafe copy = .allocate(byteCount: body.count, alignment: 1)
            unsafe copy.copyBytes(from: body)
            unsafe bodies[tag] = unsafe copy
        }
        // The client copies all but the body before it returns.
        let code = unsafe request.headers.withCStrings { headers in
            unsafe request.method.withCString { method in
                unsafe request.url.withCString { url in
                    var raw = unsafe http_request(
                        tag: tag, method: method, url: url, headers: headers, header_count: request.headers.count,
                        body: UnsafeRawPointer(copy.baseAddress), body_size: copy.count, has_body: request.body == nil ? 0 : 1)
                    return unsafe http_client_start(client, &raw)
                }
            }
        }
        guard code == 0 else {
            release(tag)
            throw StageFailure.retry("libcurl did not take a request: out of memory")
        }
    }

    /// The next answer; nil when there is none within so many milliseconds, or somebody called ``wake()``.
    func next(within milliseconds: Int32) throws -> HTTPAnswer? {
        var raw = unsafe http_answer()
        let code = unsafe http_client_next(client, milliseconds, &raw)
        guard code >= 0 else { throw StageFailure.retry("libcurl failed") }
        guard code == 1 else { return nil }
        defer { unsafe http_answer_free(client, &raw) }
        release(unsafe raw.tag)
        let outcome: HTTPAnswer.Outcome =
            switch unsafe Int(raw.outcome) {
            case HTTP_DONE: .status(unsafe raw.status)
            case HTTP_TIMEOUT: .timeout
            case HTTP_TOO_LARGE: .tooLarge
            case HTTP_REFUSED: .refused
            default: .connection
            }
        return unsafe HTTPAnswer(
            tag: raw.tag, outcome: outcome, retryAfterSeconds: raw.retry_after_seconds,
            error: raw.error.map { unsafe String(cString: $0) } ?? "",
            body: Array(UnsafeRawBufferPointer(start: raw.body, count: raw.body_size)))
    }

    /// Makes ``next(within:)`` return soon. Any thread.
    func wake() { unsafe http_client_wake(client) }

    private func release(_ tag: UInt64) {
        if let body = unsafe bodies.removeValue(forKey: tag) { unsafe body.deallocate() }
    }
}

extension String? {
    @unsafe fileprivate func withOptionalCString<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result {
        guard let text = self else { return body(nil) }
        return unsafe text.withCString { unsafe body($0) }
    }
}

extension [String] {
    /// Calls `body` with a list of C strings, which are valid until it returns.
    @unsafe fileprivate func withCStrings<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>>?) -> Result) -> Result {
        let copies: [UnsafeMutableBufferPointer<CChar>] = unsafe map { text in
            let bytes = text.utf8CString
            let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
            _ = unsafe copy.initialize(from: bytes)
            return unsafe copy
        }
        defer { for unsafe copy in unsafe copies { unsafe copy.deallocate() } }
        let pointers = unsafe copies.compactMap { unsafe $0.baseAddress.map { unsafe UnsafePointer($0) } }
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
}
