import Foundation
import Glibc
import Testing

/// Documents good, damaged, locked and malicious: the good ones come out as pdftotext has them, the others cost nobody else.
@Suite(.enabled(if: PDFLibrary.isThere, "needs libpoppler-glib8")) struct ExtractPDFTests {
    private func pipeline(_ with: String = "") -> String {
        Stages.pipeline(
            #"{ name: "read", plugin: "read-files", with: { glob: "in/*.pdf", content: true } }"#,
            #"{ name: "pdf", plugin: "extract-pdf", with: { \#(with) }, workers: 2, timeout: "4s", memory: "512MiB" }"#, Stages.write)
    }

    private func values(_ job: Job) -> [String: String] {
        Dictionary(
            job.objects("output.jsonl").map { ($0["key"] as? String ?? "", $0["value"] as? String ?? "") }) { first, _ in first }
    }

    /// Words in their order: how many spaces stand between two columns is a matter of layout.
    private func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace) }

    @Test func goodDamagedAndMaliciousDocumentsInOneRun() throws {
        let job = try Job(pipeline())
        var chance = Chance(seed: 20_261_121)
        for number in 1...40 {
            let pages = (1...(1 + number % 3)).map { page in
                "Report \(number), page \(page)\n" + (0..<20).map { "Line \($0) of (report) \(number): the quick brown fox \\ \($0 * number)" }.joined(separator: "\n")
            }
            try job.writeBytes(String(format: "in/good-%03d.pdf", number), Array(PDFFile.document(pages)))
        }
        // Damage: bytes overwritten and ends cut off, in many ways. Some survive it; none may take another with it.
        for number in 1...40 {
            var bytes = Array(PDFFile.document(["Damaged \(number)", "Second page"]))
            for _ in 0..<Int.random(in: 1...30, using: &chance) { bytes[Int.random(in: bytes.indices, using: &chance)] = .random(in: 0...255, using: &chance) }
            if number % 3 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &chance)) }
            try job.writeBytes(String(format: "in/hurt-%03d.pdf", number), bytes)
        }
        try job.writeBytes("in/empty.pdf", [])
        try job.writeBytes("in/text.pdf", Array("This is no PDF at all.\n".utf8))
        try job.writeBytes("in/hang.pdf", Array(PDFFile.exploding(depth: 12)))

        let ended = try job.run(seconds: 120)
        #expect(ended.code == 0, "\(ended.output)")
        let letters = try job.letters()
        let found = values(job)
        #expect(letters["in/hang.pdf"]?["category"] as? String == "timeout")
        for name in ["in/empty.pdf", "in/text.pdf"] {
            #expect(letters[name]?["category"] as? String == "permanent")
            #expect((letters[name]?["message"] as? String)?.hasPrefix("cannot be opened as PDF: ") == true)
        }
        let all = try FileManager.default.contentsOfDirectory(atPath: job.path("in")).map { "in/" + $0 }
        #expect(Set(found.keys).union(letters.keys) == Set(all))
        #expect(Set(found.keys).isDisjoint(with: letters.keys))

        if let pdftotext = Programs.find("pdftotext") {
            for number in 1...40 {
                let name = String(format: "in/good-%03d.pdf", number)
                let expected = try Programs.run(pdftotext, [job.path(name), "-"]).output
                #expect(words(found[name] ?? "none") == words(expected), "\(name)")
                #expect(found[name]?.split(separator: "\u{0C}").count == 1 + number % 3)
            }
        } else {
            withKnownIssue("no pdftotext on PATH: the text was not compared") { Issue.record("no pdftotext") }
        }
        job.expectNoProcessLeft()
    }

    @Test func pagesAndWhatADocumentSaysAboutItself() throws {
        let job = try Job(pipeline("pages: true, format: \"json\""))
        try job.writeBytes("in/a.pdf", Array(PDFFile.document(["First", "Second", "Third"], title: "Three pages")))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let lines = job.objects("output.jsonl")
        #expect(lines.map { $0["key"] as? String } == ["in/a.pdf#1", "in/a.pdf#2", "in/a.pdf#3"])
        let values = lines.compactMap { $0["value"] as? [String: Any] }
        #expect(values.map { $0["page"] as? Int } == [1, 2, 3])
        #expect(values.allSatisfy { $0["pages"] as? Int == 3 && $0["title"] as? String == "Three pages" })
        #expect(values.map { words($0["text"] as? String ?? "").first } == ["First", "Second", "Third"])
    }

    @Test func pathsInPlaceOfBytes() throws {
        let job = try Job(
            pipeline(#"input: "path", max_file_bytes: 1000"#).replacing("content: true", with: "content: false")
                .replacing("in/*.pdf", with: "{in/*.pdf,gone.pdf}"))
        try job.writeBytes("in/a.pdf", Array(PDFFile.document(["Here"])))
        try job.writeBytes("in/large.pdf", Array(PDFFile.document([String(repeating: "x", count: 2000)])))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(values(job).mapValues { words($0) } == ["in/a.pdf": ["Here"]])
        #expect((try job.letters()["in/large.pdf"]?["message"] as? String)?.contains("above max_file_bytes = 1000") == true)
    }

    @Test func aLockedDocumentFailsWithTheLibrarysWords() throws {
        let job = try Job(pipeline())
        try job.writeBytes("in/locked.pdf", Self.locked)
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect((try job.letters()["in/locked.pdf"]?["message"] as? String)?.lowercased().contains("encrypted") == true)
    }

    /// A document that asks for a password: its encryption dictionary (40 bits of RC4) belongs to no password that is tried.
    private static var locked: [UInt8] {
        let plain = String(decoding: PDFFile.document(["Secret"]), as: UTF8.self)
        let key = String(repeating: "ab", count: 32)
        let entry = "/Encrypt << /Filter /Standard /V 1 /R 2 /O <\(key)> /U <\(key)> /P -4 >> /ID [<00> <00>] "
        return Array(plain.replacing("/Root 1 0 R", with: entry + "/Root 1 0 R").utf8)
    }
}

enum PDFLibrary {
    /// Whether poppler can be opened here.
    static var isThere: Bool {
        guard let handle = unsafe dlopen("libpoppler-glib.so.8", RTLD_LAZY) else { return false }
        unsafe dlclose(handle)
        return true
    }
}
