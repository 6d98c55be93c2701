import Foundation

/// Small PDF documents made by hand: objects, a table of where they are, a trailer.
enum PDFFile {
    /// One page for each text; lines of a text become lines of the page.
    static func document(_ pages: [String], title: String = "", extra: String = "") -> Data {
        var objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
        let kids = pages.indices.map { "\(4 + 2 * $0) 0 R" }.joined(separator: " ")
        objects.append("<< /Type /Pages /Kids [\(kids)] /Count \(pages.count) >>")
        objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        for (index, text) in pages.enumerated() {
            objects.append(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents \(5 + 2 * index) 0 R /Resources << /Font << /F1 3 0 R >> >> >>")
            let lines = text.split(separator: "\n").map { line in
                let escaped = line.replacing("\\", with: "\\\\").replacing("(", with: "\\(").replacing(")", with: "\\)")
                return "(\(escaped)) Tj T*"
            }
            objects.append(stream("BT /F1 12 Tf 72 720 Td 14 TL " + lines.joined(separator: " ") + " ET"))
        }
        return assemble(objects, info: title.isEmpty ? "" : "<< /Title (\(title)) >>")
    }

    /// A page that draws a form that draws ten forms that draw ten forms …: `depth` levels, ten to that power of drawings.
    static func exploding(depth: Int) -> Data {
        var objects = [
            "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>",
            stream("/X Do"),
        ]
        for level in 0..<depth {
            let isLast = level == depth - 1
            let body = isLast ? "0 0 1 1 re f" : String(repeating: "/X Do ", count: 10)
            let resources = isLast ? "<< >>" : "<< /XObject << /X \(6 + level) 0 R >> >>"
            objects.append(stream(body, "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources \(resources)"))
        }
        return assemble(objects)
    }

    private static func stream(_ text: String, _ dictionary: String = "") -> String {
        "<< \(dictionary) /Length \(text.utf8.count) >>\nstream\n\(text)\nendstream"
    }

    private static func assemble(_ objects: [String], info: String = "") -> Data {
        let objects = info.isEmpty ? objects : objects + [info]
        var text = "%PDF-1.4\n"
        var places: [Int] = []
        for (index, object) in objects.enumerated() {
            places.append(text.utf8.count)
            text += "\(index + 1) 0 obj\n\(object)\nendobj\n"
        }
        let table = text.utf8.count
        text += "xref\n0 \(objects.count + 1)\n0000000000 65535 f \n"
        for place in places { text += String(format: "%010d 00000 n \n", place) }
        let infoEntry = info.isEmpty ? "" : "/Info \(objects.count) 0 R"
        text += "trailer\n<< /Size \(objects.count + 1) /Root 1 0 R \(infoEntry) >>\nstartxref\n\(table)\n%%EOF\n"
        return Data(text.utf8)
    }
}
