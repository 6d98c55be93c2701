/// Charts as inline SVG that is stretched to its place: lines keep their width, and all words stand beside it, in HTML, so that
/// they stay readable on a narrow screen.
struct Plot {
    static let colours = 8
    private static let width = 1_000.0
    private static let height = 200.0

    private var shapes = ""

    private func x(_ share: Double) -> String { HumanNumbers.fixed(share * Self.width, digits: 1) }
    private func y(_ share: Double) -> String { HumanNumbers.fixed((1 - share) * Self.height, digits: 1) }

    /// Horizontal lines at these heights, from 0 to 1.
    mutating func grid(_ heights: [Double]) {
        for height in heights { shapes += "<path class=\"grid\" d=\"M0 \(y(height))H\(Int(Self.width))\"/>" }
    }

    /// A line through points, both coordinates from 0 to 1; with an area below it if wanted.
    mutating func line(_ points: [(x: Double, y: Double)], colour: Int, filled: Bool = false) {
        guard let first = points.first, let last = points.last else { return }
        let path = "M" + points.map { "\(x($0.x)) \(y($0.y))" }.joined(separator: "L")
        if filled { shapes += "<path class=\"area s\(colour % Self.colours)\" d=\"\(path)L\(x(last.x)) \(y(0))L\(x(first.x)) \(y(0))Z\"/>" }
        // One point alone would be nothing.
        shapes += "<path class=\"line s\(colour % Self.colours)\" d=\"\(path)\(points.count == 1 ? "h0" : "")\"/>"
    }

    mutating func rectangle(from left: Double, to right: Double, height: Double, colour: Int, title: String) {
        shapes += "<path class=\"box s\(colour % Self.colours)\" d=\"M\(x(left)) \(y(0))V\(y(height))H\(x(right))V\(y(0))Z\"><title>\(HTML.escaped(title))</title></path>"
    }

    mutating func band(from left: Double, to right: Double, title: String) {
        shapes += "<path class=\"band\" d=\"M\(x(left)) \(y(0))V\(y(1))H\(x(max(right, left + 0.002)))V\(y(0))Z\"><title>\(HTML.escaped(title))</title></path>"
    }

    /// A mark of one of the classes `death`, `poison`, `restart`, `word`.
    mutating func mark(_ kind: String, x left: Double, y bottom: Double, title: String) {
        shapes += "<path class=\"mark \(kind)\" d=\"M\(x(left)) \(y(bottom))h0\"><title>\(HTML.escaped(title))</title></path>"
    }

    func svg(_ description: String, style: String = "") -> String {
        "<svg class=\"plot \(style)\" viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"\(HTML.escaped(description))\">\(shapes)</svg>"
    }

    /// The chart with words at its sides: heights with their labels, and words below from left to right.
    func figure(_ description: String, style: String = "", ticks: [(y: Double, label: String)], below: [String]) -> String {
        var text = "<figure><div class=\"axis\">"
        for tick in ticks { text += "<span style=\"bottom:\(HumanNumbers.fixed(tick.y * 100, digits: 1))%\">\(HTML.escaped(tick.label))</span>" }
        text += "</div><div class=\"field\">\(svg(description, style: style))</div>"
        text += "<div class=\"below\">" + below.map { "<span>\(HTML.escaped($0))</span>" }.joined() + "</div></figure>\n"
        return text
    }

    /// A bar of a share of the width.
    static func bar(_ share: Double) -> String {
        "<svg class=\"strip\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"track\" d=\"M0 0H1000V10H0Z\"/><path class=\"box bad\" d=\"M0 0H\(max(4, Int(share * 1_000)))V10H0Z\"/></svg>"
    }

    /// A round number that is at least as large, and the steps up to it.
    static func scale(_ most: Double, steps: Int = 4) -> [Double] {
        guard most > 0 else { return [0, 1] }
        var unit = 1.0
        while unit * 10 <= most / Double(steps) { unit *= 10 }
        while unit > most / Double(steps) { unit /= 10 }
        let step = [1, 2, 2.5, 5, 10].map { $0 * unit }.first { $0 * Double(steps) >= most } ?? unit * 10
        return stride(from: 0, through: (most / step).rounded(.up) * step * 1.0001, by: step).map { $0 }
    }

    /// The same for bytes, which are counted in powers of two.
    static func scaleOfBytes(_ most: Double) -> [Double] {
        var step = 1_048_576.0
        while step * 5 < most { step *= 2 }
        return stride(from: 0, through: max(1, (most / step).rounded(.up)) * step, by: step).map { $0 }
    }
}
