import StageKit

/// The functions of libpoppler-glib and GLib that this plugin uses, by their C declarations in poppler-document.h,
/// poppler-page.h, gerror.h, gmem.h and gobject.h.
@safe struct Poppler {
    typealias Pointer = UnsafeMutableRawPointer

    /// Where the message stands in a GError: behind a 32-bit domain and a C int.
    static let errorMessageOffset = 8

    private let library: DynamicLibrary
    let documentFromData: @convention(c) (Pointer?, CInt, UnsafePointer<CChar>?, UnsafeMutablePointer<Pointer?>?) -> Pointer?
    let documentPageCount: @convention(c) (Pointer) -> CInt
    let documentPage: @convention(c) (Pointer, CInt) -> Pointer?
    let pageText: @convention(c) (Pointer) -> UnsafeMutablePointer<CChar>?
    let release: @convention(c) (Pointer) -> Void
    let free: @convention(c) (Pointer?) -> Void
    let freeError: @convention(c) (Pointer) -> Void
    /// Functions that return a text about the document, by the name it has here.
    let facts: [(name: String, get: @convention(c) (Pointer) -> UnsafeMutablePointer<CChar>?)]

    init() throws {
        let library = try DynamicLibrary("libpoppler-glib.so.8", package: "libpoppler-glib8")
        self.library = library
        unsafe documentFromData = try library.symbol("poppler_document_new_from_data", as: type(of: documentFromData))
        unsafe documentPageCount = try library.symbol("poppler_document_get_n_pages", as: type(of: documentPageCount))
        unsafe documentPage = try library.symbol("poppler_document_get_page", as: type(of: documentPage))
        unsafe pageText = try library.symbol("poppler_page_get_text", as: type(of: pageText))
        unsafe release = try library.symbol("g_object_unref", as: type(of: release))
        unsafe free = try library.symbol("g_free", as: type(of: free))
        unsafe freeError = try library.symbol("g_error_free", as: type(of: freeError))
        let names = ["title", "author", "subject", "keywords", "creator", "producer"]
        unsafe facts = try names.map { name in
            (name, unsafe try library.symbol(
                "poppler_document_get_\(name)", as: (@convention(c) (Pointer) -> UnsafeMutablePointer<CChar>?).self))
        }
    }

    /// A text that the library has allocated, which is freed; nil for none.
    @unsafe func take(_ text: UnsafeMutablePointer<CChar>?) -> String? {
        guard let text = unsafe text else { return nil }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }
}

/// An open document. Lives shorter than the bytes it was opened from.
@safe final class PDFDocument {
    private let poppler: Poppler
    private let document: Poppler.Pointer
    // The library reads from here as long as the document is open.
    private let memory: UnsafeMutableRawBufferPointer

    /// Throws a permanent failure with the library's words.
    init(_ bytes: [UInt8], _ poppler: Poppler) throws {
        guard bytes.count <= Int(CInt.max) else {
            throw RecordFailure.permanent("the document has \(bytes.count) bytes, above the library's limit of \(CInt.max)")
        }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
        unsafe memory.copyBytes(from: bytes)
        var error: Poppler.Pointer?
        guard let opened = unsafe poppler.documentFromData(memory.baseAddress, CInt(bytes.count), nil, &error) else {
            unsafe memory.deallocate()
            var reason = "the library gave no reason"
            if let error = unsafe error {
                let message = unsafe error.load(fromByteOffset: Poppler.errorMessageOffset, as: UnsafePointer<CChar>?.self)
                if let message = unsafe message { reason = unsafe String(cString: message) }
                unsafe poppler.freeError(error)
            }
            throw RecordFailure.permanent("cannot be opened as PDF: \(reason)")
        }
        self.poppler = poppler
        unsafe document = opened
        unsafe self.memory = unsafe memory
    }

    deinit {
        unsafe poppler.release(document)
        unsafe memory.deallocate()
    }

    /// What the document says about itself, without what it does not say.
    var facts: [(name: String, text: String)] {
        var found: [(name: String, text: String)] = []
        for unsafe fact in unsafe poppler.facts {
            if let text = unsafe poppler.take(fact.get(document)), !text.isEmpty { unsafe found.append((fact.name, text)) }
        }
        return found
    }

    var pageCount: Int { unsafe max(0, Int(poppler.documentPageCount(document))) }

    /// The text of a page, counted from 0. Throws when the page is damaged.
    func text(ofPage index: Int) throws -> String {
        guard let page = unsafe poppler.documentPage(document, CInt(index)) else {
            throw RecordFailure.permanent("page \(index + 1) of \(pageCount) cannot be read: it is damaged")
        }
        defer { unsafe poppler.release(page) }
        return unsafe poppler.take(poppler.pageText(page)) ?? ""
    }
}
