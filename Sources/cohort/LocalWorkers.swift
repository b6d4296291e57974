internal import Foundation
internal import Kernels

/// Worker processes on this machine, children of this one: started with a secret that they read from their standard
/// input, gone when the coordinator is.
final class LocalWorkers {
    private var processes: [(name: String, process: Process)] = []
    private let started = ContinuousClock.now
    private let address: String
    private let secret: String
    private let memoryBytes: Int
    /// Each process's part of the machine, one after the other.
    private let parts: [Machine.Part]
    private var startCount = 0

    /// - Parameters:
    ///   - names: one process for each.
    ///   - address: where the coordinator listens.
    ///   - secret: what they prove their membership with.
    init(names: [String], address: String, secret: String, memoryBytes: Int) throws {
        self.address = address
        self.secret = secret
        parts = Machine.parts(for: names.count)
        self.memoryBytes = memoryBytes
        for name in names { try start(name) }
    }

    /// Starts one more.
    func start(_ name: String) throws {
        let own = parts[startCount % parts.count]
        startCount += 1
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [
            "worker", "--coordinator", address, "--secret-file", "/dev/stdin", "--name", name,
            "--threads", "\(own.threads)", "--memory", "\(memoryBytes)", "--quiet", "--local",
            "--connect-timeout", "\(Self.connectTimeoutSeconds)",
        ]
        if let processors = own.processors {
            process.arguments? += ["--processors", processors.map(String.init).joined(separator: ",")]
        }
        // A service manager listens to the coordinator alone.
        process.environment = ProcessInfo.processInfo.environment.filter { $0.key != "NOTIFY_SOCKET" }
        let input = Pipe()
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        do {
            try MemoryPolicy.withoutFitting { try process.run() }
            try input.fileHandleForWriting.write(contentsOf: Data(secret.utf8))
            try input.fileHandleForWriting.close()
        } catch {
            throw WorkError("worker process \(name) cannot be started: \(error.localizedDescription)")
        }
        processes.append((name, process))
    }

    /// Ends one without a word, as a machine that fails.
    func kill(_ name: String) {
        for (other, process) in processes where other == name && process.isRunning {
            Foundation.kill(process.processIdentifier, SIGKILL)
        }
        processes.removeAll { $0.name == name }
    }

    deinit { stop() }

    /// Throws when one of them has ended, or does not come.
    /// - Parameter absent: names of those that have not connected.
    func check(absent: [String]) throws {
        if let name = absent.first, ContinuousClock.now > started + Self.arrival {
            throw WorkError(
                "worker process \(name) has not connected within \(Self.arrival): is this machine overloaded, or are "
                    + "threads limited (ulimit -u, or the container's limit of processes)?")
        }
        for (name, process) in processes where !process.isRunning {
            throw WorkError(Self.obituary(name, process))
        }
    }

    private static func obituary(_ name: String, _ process: Process) -> String {
        guard process.terminationReason == .uncaughtSignal else {
            return "worker process \(name) cannot serve; its own line above says why"
        }
        return
            "worker process \(name) was ended by signal \(process.terminationStatus): if nobody did that by hand, see "
            + "whether this machine ran out of memory (dmesg)"
    }

    /// Waits for a moment, then ends what still runs.
    func stop() {
        let deadline = Date() + Self.grace
        while processes.contains(where: { $0.process.isRunning }), Date() < deadline { usleep(5_000) }
        for (_, process) in processes where process.isRunning { process.terminate() }
        let end = Date() + Self.grace
        while processes.contains(where: { $0.process.isRunning }), Date() < end { usleep(5_000) }
        for (_, process) in processes where process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
    }

    /// The coordinator listens before it starts them: one that does not answer is gone.
    private static let connectTimeoutSeconds = 2
    /// A worker connects before it loads anything.
    private static let arrival = Duration.seconds(60)
    /// After a goodbye a worker has nothing left to do.
    private static let grace = 2.0
}
