import Foundation

/// What one test starts and makes: processes of the program and a folder. All of it is gone when the test is over.
final class Scene: Sendable {
    let folder: String
    /// Stands in the environment of everything that is started here, and so in that of its children.
    private let marker = "COHORT_TEST_SCENE=\(UUID().uuidString)"

    static func play<Result>(_ body: (Scene) async throws -> Result) async throws -> Result {
        let scene = try Scene()
        defer { scene.clear() }
        return try await body(scene)
    }

    private init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("cohort-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    @discardableResult
    func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path(name))
        return path(name)
    }

    /// Starts `cohort` with these arguments.
    func start(_ arguments: [String]) throws -> RunningProgram {
        try RunningProgram(RunningProgram.cohort, arguments, marker: marker, folder: folder)
    }

    /// Runs `cohort` to its end.
    func run(_ arguments: [String]) async throws -> Outcome { try await start(arguments).end() }

    /// Starts another program.
    func start(program: String, _ arguments: [String]) throws -> RunningProgram {
        try RunningProgram(program, arguments, marker: marker, folder: folder)
    }

    /// Runs another program to its end.
    func run(program: String, _ arguments: [String]) async throws -> Outcome {
        try await start(program: program, arguments).end()
    }

    /// The processes that were started here, by this test or by what it started, and still run.
    var processes: [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { identifier in
            guard let environment = FileManager.default.contents(atPath: "/proc/\(identifier)/environ") else {
                return false
            }
            return environment.range(of: Data(marker.utf8)) != nil
        }
    }

    /// Whether every process is gone before `limit` has passed.
    func empties(within limit: Duration) async throws -> Bool {
        let end = ContinuousClock.now + limit
        while !processes.isEmpty {
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    private func clear() {
        for identifier in processes { kill(identifier, SIGKILL) }
        try? FileManager.default.removeItem(atPath: folder)
    }
}
