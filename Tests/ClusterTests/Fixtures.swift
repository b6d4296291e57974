import Checkpoint

/// Files of this repository that the tests read, found from this source file's own place.
enum Fixtures {
    static let repository = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    static func path(_ relative: String) -> String { "\(repository)/\(relative)" }

    /// The published config.json of DeepSeek-R1.
    static func r1() throws -> ModelConfig {
        try ModelConfig(path: path("Tests/ClusterTests/Fixtures/deepseek-r1/config.json"))
    }

    /// A small model of R1's kind: 2 layers of 256 experts of width 16.
    static func small() throws -> ModelConfig {
        try ModelConfig(path: path("Tests/ClusterTests/Fixtures/small/config.json"))
    }
}
