import Glibc
import LinuxIO
import StageReport

/// Lines that stand on a terminal and are drawn again and again: each frame in one write, so that nothing flickers, and over
/// the last one, so that nothing is left of it.
final class LiveScreen {
    enum Place {
        /// Where the cursor is, below what was written before.
        case inline
        /// A screen of its own, which is gone afterwards.
        case full
    }

    private let descriptor: Int32
    private let place: Place
    private let colours: Bool
    /// What stands there now.
    private var drawn: [StyledLine] = []
    private var columnsDrawn = 0
    private var isOpen = false

    init(_ descriptor: Int32, _ place: Place) {
        self.descriptor = descriptor
        self.place = place
        colours = Self.hasColours(descriptor)
    }

    /// Whether frames can be drawn there at all.
    static func isUsable(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && Surroundings.environment["TERM"] != "dumb"
    }

    /// https://no-color.org: any value but none switches colours off.
    private static func hasColours(_ descriptor: Int32) -> Bool {
        isUsable(descriptor) && (Surroundings.environment["NO_COLOR"] ?? "").isEmpty
    }

    private enum Code {
        static let beginFrame = "\u{1B}[?2026h"
        static let endFrame = "\u{1B}[?2026l"
        static let hideCursor = "\u{1B}[?25l"
        static let showCursor = "\u{1B}[?25h"
        static let ownScreen = "\u{1B}[?1049h"
        static let oldScreen = "\u{1B}[?1049l"
        static let home = "\u{1B}[H"
        static let clearLine = "\u{1B}[K"
        static let clearBelow = "\u{1B}[J"
    }

    var size: (columns: Int, rows: Int) {
        let size = terminalSize(descriptor) ?? (80, 24)
        return (size.columns, max(size.rows, 2))
    }

    func open() {
        guard !isOpen else { return }
        isOpen = true
        if place == .full { write(Code.ownScreen + Code.hideCursor) }
    }

    /// Gives the terminal back as it was; with `inline` the last frame is wiped.
    func close() {
        guard isOpen else { return }
        isOpen = false
        write(place == .full ? Code.showCursor + Code.oldScreen : wiped)
        drawn = []
    }

    /// Draws a frame in place of the last.
    func draw(_ lines: [StyledLine]) {
        open()
        write(Code.beginFrame + (place == .full ? frame(lines) : wiped + inlineFrame(lines)) + Code.endFrame)
    }

    /// Writes words above the frame, which stays below them.
    func say(_ words: String) {
        let lines = drawn
        write(Code.beginFrame + wiped + words + "\n" + (lines.isEmpty ? "" : inlineFrame(lines)) + Code.endFrame)
    }

    private func frame(_ lines: [StyledLine]) -> String {
        let (columns, rows) = size
        let shown = lines.prefix(rows).map { $0.rendered(columns: columns, colours: colours) + Code.clearLine }
        return Code.home + shown.joined(separator: "\r\n") + Code.clearBelow
    }

    private func inlineFrame(_ lines: [StyledLine]) -> String {
        let (columns, rows) = size
        drawn = Array(lines.suffix(rows - 1))
        columnsDrawn = columns
        return drawn.map { $0.rendered(columns: columns, colours: colours) + "\n" }.joined()
    }

    /// Goes up to where the frame began and wipes from there. A terminal that has become narrower may have broken its lines.
    private var wiped: String {
        guard !drawn.isEmpty else { return "" }
        let columns = max(size.columns, 1)
        let rows = drawn.reduce(0) { $0 + max(1, (min($1.text.count, columnsDrawn) + columns - 1) / columns) }
        drawn = []
        return "\u{1B}[\(rows)A\r" + Code.clearBelow
    }

    private func write(_ text: String) { Console.write(text, to: descriptor) }
}

/// A terminal whose keys are heard one by one, without being shown. Ctrl-C stays what it is.
struct KeyInput: ~Copyable {
    private let saved: termios

    /// nil: the standard input is no terminal.
    init?() {
        var settings = termios()
        guard isatty(STDIN_FILENO) == 1, unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        saved = settings
        resume()
    }

    func resume() {
        var settings = saved
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    func restore() {
        var settings = saved
        _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    deinit { restore() }

    /// What was typed; to be asked when there is something.
    func read() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
        return Array(bytes.prefix(max(0, count)))
    }
}
