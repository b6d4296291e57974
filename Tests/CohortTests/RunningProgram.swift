import Foundation
import Synchronization

/// How a process ended, and what it said.
struct Outcome: Sendable, CustomStringConvertible {
    /// The exit status; 128 and the signal's number where a signal ended it.
    let status: Int32
    let output: Data
    let error: String

    var text: String { String(decoding: output, as: UTF8.self) }
    var errorLines: [Substring] { error.split(separator: "\n") }
    var description: String { "status \(status), error: \(error)" }
}

struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// A process with its output in files, so that it never waits for its reader.
final class RunningProgram: Sendable {
    /// The program under test, which stands beside the test bundle.
    static let cohort = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appendingPathComponent("cohort").path

    let identifier: pid_t
    private let outputPath: String
    private let errorPath: String
    private let waitStatus = Mutex<Int32?>(nil)

    /// - Parameter marker: an assignment for its environment.
    init(_ program: String, _ arguments: [String], marker: String, folder: String) throws {
        let name = UUID().uuidString
        outputPath = "\(folder)/\(name).out"
        errorPath = "\(folder)/\(name).err"
        let environment = ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=\(folder)", marker]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        Self.resetSignals(&attributes)
        let vector = ([program] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { (vector + variables).forEach { free($0) } }
        var identifier = pid_t()
        let status = posix_spawn(&identifier, program, &actions, &attributes, vector, variables)
        guard status == 0 else { throw NotInTime(description: "\(program): \(String(cString: strerror(status)))") }
        self.identifier = identifier
    }

    /// A test runner may block or ignore signals, and what it starts would too.
    private static func resetSignals(_ attributes: inout posix_spawnattr_t) {
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    }

    /// Waits for its end; what is not over by then is killed.
    func end(within limit: Duration = .seconds(60)) async throws -> Outcome {
        let end = ContinuousClock.now + limit
        while true {
            if let status = reaped() {
                let signal = status & 0x7F
                return Outcome(
                    status: signal == 0 ? (status >> 8) & 0xFF : 128 + signal,
                    output: contents(outputPath), error: errorText)
            }
            guard ContinuousClock.now < end else {
                signal(SIGKILL)
                throw NotInTime(description: "not over within \(limit); it said: \(errorText)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until `text` stands on its standard error so many times or more.
    func says(_ text: String, times: Int = 1, within limit: Duration = .seconds(30)) async throws {
        try await until("it says \"\(text)\" \(times) times", within: limit) {
            errorText.split(separator: text, omittingEmptySubsequences: false).count > times
        }
    }

    /// Waits until it has put something out.
    func putsOut(within limit: Duration = .seconds(30)) async throws {
        try await until("it puts something out", within: limit) { !contents(outputPath).isEmpty }
    }

    var isRunning: Bool { reaped() == nil }

    var errorText: String { String(decoding: contents(errorPath), as: UTF8.self) }

    private func contents(_ path: String) -> Data { FileManager.default.contents(atPath: path) ?? Data() }

    func signal(_ number: Int32) {
        if isRunning { kill(identifier, number) }
    }

    private func until(_ what: String, within limit: Duration, _ condition: () -> Bool) async throws {
        let end = ContinuousClock.now + limit
        while !condition() {
            guard isRunning, ContinuousClock.now < end else {
                throw NotInTime(description: "it ended or \(limit) passed before \(what); it said: \(errorText)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// The status of `waitpid` once it has ended.
    private func reaped() -> Int32? {
        waitStatus.withLock { stored in
            var status: Int32 = 0
            if stored == nil, waitpid(identifier, &status, WNOHANG) == identifier { stored = status }
            return stored
        }
    }
}
