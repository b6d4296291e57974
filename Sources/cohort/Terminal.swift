internal import Foundation
internal import Synchronization

/// The terminal as a screen that is drawn over, and its keyboard key by key. `restore` gives it back as it was.
final class Terminal {
    private var saved = termios()
    private let hasKeyboard: Bool
    private let isEnded = Flag()
    private let signals: StopSignals

    /// - Returns: nil where standard output is no terminal.
    init?() {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        hasKeyboard = tcgetattr(STDIN_FILENO, &saved) == 0
        signals = StopSignals { [isEnded] _ in isEnded.set() }
        if hasKeyboard {
            var keys = saved
            keys.c_lflag &= ~tcflag_t(ICANON | ECHO)
            // A stopped program would leave the screen as it is.
            withUnsafeMutableBytes(of: &keys.c_cc) { $0[Int(VSUSP)] = 0 }
            tcsetattr(STDIN_FILENO, TCSANOW, &keys)
        }
        StandardStream.show("\u{1B}[?1049h\u{1B}[?25l")
    }

    func restore() {
        StandardStream.show("\u{1B}[?25h\u{1B}[?1049l")
        if hasKeyboard { tcsetattr(STDIN_FILENO, TCSANOW, &saved) }
        signals.cancel()
    }

    /// - Parameter lines: for a screen of so many columns and rows; what does not fit is cut.
    func draw(_ lines: (_ columns: Int, _ rows: Int) -> [String]) throws {
        let (columns, rows) = size
        let shown = lines(columns, rows).prefix(rows).map { "\u{1B}[2K" + $0.prefix(columns) }
        let end = shown.count < rows ? "\n\u{1B}[J" : ""
        try StandardStream.output("\u{1B}[H" + shown.joined(separator: "\n") + end)
    }

    /// - Returns: false as soon as somebody wants to end.
    func pause(for duration: Duration) async -> Bool {
        let end = ContinuousClock.now + duration
        while .now < end {
            if isEnded.isSet || isQuitPressed() { return false }
            try? await Task.sleep(for: Self.tick)
        }
        return !isEnded.isSet
    }

    /// Reads what was typed.
    private func isQuitPressed() -> Bool {
        guard hasKeyboard else { return false }
        var events = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&events, 1, 0) > 0 else { return false }
        var keys = [UInt8](repeating: 0, count: 64)
        let count = read(STDIN_FILENO, &keys, keys.count)
        return count <= 0 || keys.prefix(count).contains { Self.quitKeys.contains($0) }
    }

    private var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// q, Q and Ctrl-D.
    private static let quitKeys: Set<UInt8> = [0x71, 0x51, 0x04]
    private static let tick = Duration.milliseconds(50)
}

/// Set once, from any thread.
private final class Flag: Sendable {
    private let state = Atomic(false)

    var isSet: Bool { state.load(ordering: .relaxed) }

    func set() { state.store(true, ordering: .relaxed) }
}
