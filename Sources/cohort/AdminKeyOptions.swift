internal import ArgumentParser
internal import Cluster
internal import Foundation

/// The key of the admin API: the server asks for it, the commands show it.
struct AdminKeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The key of the admin API. Every user of this machine can see it: better use a file.",
            discussion: """
                Default: the environment's COHORT_ADMIN_KEY; else the server makes a key for as long as it runs and \
                leaves it to its user alone, as PORT.admin-key in $XDG_RUNTIME_DIR/cohort or /tmp/cohort-UID (as a \
                service in /run/cohort), where the commands find it when they talk to this machine.
                """))
    var adminKey: String?

    @Option(help: "A file that holds the key of the admin API.")
    var adminKeyFile: String?

    func validate() throws {
        if adminKey != nil && adminKeyFile != nil {
            throw ValidationError("--admin-key and --admin-key-file exclude each other: give one")
        }
    }

    /// The key that flags or the environment give; nil where they give none.
    func given() throws -> String? {
        if let adminKey { return try Self.check(adminKey, from: "--admin-key") }
        if let adminKeyFile { return try Self.check(KeyFile.read(adminKeyFile), from: "--admin-key-file") }
        guard let key = ProcessInfo.processInfo.environment["COHORT_ADMIN_KEY"] else { return nil }
        return try Self.check(key, from: "COHORT_ADMIN_KEY")
    }

    /// It travels in a header.
    private static func check(_ key: String, from source: String) throws -> String {
        guard !key.isEmpty, key.unicodeScalars.allSatisfy({ (0x21..<0x7F).contains($0.value) }) else {
            throw UsageError("\(source) gives no key: give visible ASCII characters without blanks")
        }
        return key
    }
}

/// A key in a file that a flag names.
enum KeyFile {
    static func read(_ path: String) throws -> String {
        let bytes = try NamedFile.bytes(of: path, what: "key", maximumByteSize: maximumByteSize)
        guard let text = String(bytes: bytes, encoding: .utf8) else {
            throw InputError("\(path): the key is no text: give visible ASCII characters")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// More than a header takes.
    private static let maximumByteSize = 1 << 16
}
