internal import Foundation
package import Tokenization

/// The one model that a server answers for.
package struct ServedModel: Sendable {
    /// What requests call it.
    package let name: String
    package let text: ModelText
    /// Tokens that end a completion.
    package let endIDs: Set<Int>
    /// Positions of prompt and completion together.
    package let contextLength: Int
    /// Seconds since 1970.
    let createdSeconds = Int(Date().timeIntervalSince1970)

    package init(name: String, text: ModelText, endIDs: Set<Int>, contextLength: Int) {
        self.name = name
        self.text = text
        self.endIDs = endIDs
        self.contextLength = contextLength
    }

    /// Bytes of a request: ample for a prompt of the whole context, as text or as ids.
    var maximumBodyBytes: Int { 65_536 + 16 * contextLength }

    /// The body of GET /v1/models.
    struct List: Encodable {
        let object = "list"
        let data: [Card]
    }

    struct Card: Encodable {
        let id: String
        let object = "model"
        let created: Int
        let ownedBy = "cohort"
        let maximumLength: Int

        enum CodingKeys: String, CodingKey {
            case id, object, created
            case ownedBy = "owned_by"
            case maximumLength = "max_model_len"
        }
    }

    var card: Card { Card(id: name, created: createdSeconds, maximumLength: contextLength) }
}
