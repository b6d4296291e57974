/// Why a request's generation ends without its last token, while others go on.
package enum GenerationError: Error, Equatable, CustomStringConvertible {
    /// Logits that are not finite numbers, after so many tokens of prompt and completion.
    case notFinite(tokens: Int)

    package var description: String {
        switch self {
        case .notFinite(let tokens):
            "the logits that follow token \(tokens) are not finite: the checkpoint has weights that are NaN or "
                + "infinite, or its numbers overflow; compare its files with the published ones"
        }
    }
}
