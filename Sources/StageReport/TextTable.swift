/// A table for people: a heading, rows, columns that are as wide as what is in them.
package struct TextTable: Sendable {
    package enum Side: Sendable { case left, right }

    package struct Column: Sendable {
        package var title: String
        package var side: Side

        package init(_ title: String, _ side: Side = .left) {
            self.title = title
            self.side = side
        }

        /// A column of numbers.
        package static func number(_ title: String) -> Column { Column(title, .right) }
    }

    package var columns: [Column]
    package private(set) var rows: [[String]] = []

    package init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; cells from outside are made printable, missing ones are empty.
    package mutating func add(_ cells: [String]) {
        rows.append(columns.indices.map { $0 < cells.count ? PrintableText.line(cells[$0]) : "" })
    }

    /// The heading and the rows. The last column is cut where the line would be longer than `width`, but keeps what makes sense.
    package func lines(width: Int? = nil) -> [String] {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        var rest: Int?
        if let width, let last = widths.indices.last {
            rest = max(16, width - widths[..<last].reduce(0) { $0 + $1 + Self.gap })
        }
        return all.map { row in line(row, widths, rest) }
    }

    private static let gap = 2

    private func line(_ row: [String], _ widths: [Int], _ lastWidth: Int?) -> String {
        var text = ""
        for (column, cell) in row.enumerated() {
            let isLast = column == row.count - 1
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            if columns[column].side == .right {
                text += padding + cell
            } else if isLast, let lastWidth, cell.count > lastWidth {
                text += cell.prefix(lastWidth - 1) + "…"
            } else {
                text += isLast ? cell : cell + padding
            }
            if !isLast { text += String(repeating: " ", count: Self.gap) }
        }
        while text.last == " " { text.removeLast() }
        return text
    }
}
