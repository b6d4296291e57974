internal import Foundation

/// A checkpoint with reference outputs by an independent implementation (scripts/make-fixtures.py).
package struct Fixture: Sendable {
    package let name: String

    package init(_ name: String) {
        self.name = name
    }

    package static let all = ["tiny-r1-fp8", "tiny-r1-bf16", "fp8-odd", "qnull-norope", "v2-group", "v2-lite"].map {
        Fixture($0)
    }

    /// The checkpoint's folder.
    package var model: String { path("model") }

    package func reference() throws -> Reference {
        try JSONDecoder().decode(Reference.self, from: Data(contentsOf: URL(fileURLWithPath: path("reference.json"))))
    }

    package func referenceLogits() throws -> TensorFile {
        try TensorFile(path: path("reference_logits.safetensors"))
    }

    private func path(_ file: String) -> String { Repository.path("Tests/Fixtures/\(name)/\(file)") }
}

/// Files of the project, found from this source file.
package enum Repository {
    package static func path(_ relative: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(relative).path
    }
}
