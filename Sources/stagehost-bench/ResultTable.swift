/// What a benchmark has found: rows of numbers with a name.
struct ResultTable: Sendable {
    struct Column: Sendable {
        /// The name in JSON: letters, digits and underscores, the unit last.
        var key: String
        var title: String
        var digits: Int

        init(_ key: String, _ title: String, digits: Int = 2) {
            self.key = key
            self.title = title
            self.digits = digits
        }
    }

    var title: String
    /// Heading of the first column: what the rows are.
    var subject: String
    var columns: [Column]
    var rows: [(name: String, values: [Double?])] = []
    var remarks: [String] = []

    init(_ title: String, subject: String, _ columns: [Column]) {
        self.title = title
        self.subject = subject
        self.columns = columns
    }

    /// The figure of a row, by its name, in a column, by its key.
    func value(_ row: String, _ column: String) -> Double? {
        guard let place = columns.firstIndex(where: { $0.key == column }) else { return nil }
        return rows.first { $0.name == row }?.values[place]
    }

    mutating func add(_ name: String, _ values: [Double?]) { rows.append((name, values)) }
}
