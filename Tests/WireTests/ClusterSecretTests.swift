import Foundation
import Testing
import Wire

@Suite struct ClusterSecretTests {
    private static func withFile<Value>(
        _ content: String, mode: Int = 0o600, _ body: (String) throws -> Value
    ) throws -> Value {
        let path = NSTemporaryDirectory() + "cohort-secret-\(UUID().uuidString)"
        #expect(FileManager.default.createFile(atPath: path, contents: Data(content.utf8)))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return try body(path)
    }

    /// True when a worker with `left` and a coordinator with `right` trust each other.
    private static func match(_ left: ClusterSecret, _ right: ClusterSecret) -> Bool {
        let deadline = Instant(nanoseconds: 1)
        var coordinator = CoordinatorHandshake(secret: right, deadline: deadline)
        let description = WorkerDescription(name: "w", memoryBytes: 1, coreCount: 1, kernelSet: "scalar", processID: 1)
        var worker = WorkerHandshake(secret: left, worker: description, deadline: deadline)
        let start = Instant(nanoseconds: 0)
        guard case .send(let challenge) = try? coordinator.receive(worker.hello, at: start) else { return false }
        return (try? worker.receive(challenge, at: start)) != nil
    }

    @Test("The newline at the end of the file is not part of the secret")
    func newline() throws {
        let text = "0123456789abcdef0123"
        let plain = try Self.withFile(text) { try ClusterSecret(file: $0) }
        let lined = try Self.withFile(text + "\n") { try ClusterSecret(file: $0) }
        let given = try ClusterSecret(bytes: Array(text.utf8))
        #expect(Self.match(plain, lined) && Self.match(plain, given))
        #expect(!Self.match(plain, .random()))
    }

    @Test("A secret under 16 bytes is refused, with the file's name")
    func tooShort() throws {
        try Self.withFile("0123456789abcde\n") { path in
            let error = #expect(throws: ClusterSecretError.self) { try ClusterSecret(file: path) }
            #expect(error?.source == path)
            #expect(error?.what == "the secret has 15 bytes, and 16 is the least")
        }
    }

    @Test("A file that everybody may read is refused, and the error names the mend")
    func worldReadable() throws {
        try Self.withFile("0123456789abcdef0123", mode: 0o644) { path in
            let error = #expect(throws: ClusterSecretError.self) { try ClusterSecret(file: path) }
            #expect(error?.mend == "run: chmod 600 \(path)")
        }
    }

    @Test("A missing file, a folder and an endless file are errors")
    func noFile() {
        for path in ["/nonexistent/secret", NSTemporaryDirectory()] {
            let error = #expect(throws: ClusterSecretError.self) { try ClusterSecret(file: path) }
            #expect(error?.source == path)
        }
        #expect(throws: ClusterSecretError.self) { try ClusterSecret(file: "/dev/zero") }
    }

    @Test("A secret never shows in text")
    func redacted() throws {
        let secret = try ClusterSecret(bytes: Array("top-secret-0123456789".utf8))
        #expect(!"\(secret) \(String(reflecting: secret))".contains("top-secret"))
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("116"), "the byte of 't' must not appear")
    }

    @Test("Two random secrets differ")
    func random() {
        #expect(!Self.match(.random(), .random()))
    }
}
