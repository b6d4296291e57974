internal import Serving
internal import Tokenization

/// Makes text and log-probabilities of tokens as they come: holds back what may yet become a stop string, and ends at
/// one.
struct CompletionAssembler {
    /// A part of a completion.
    struct Piece: Equatable {
        var text = ""
        /// The tokens whose text is complete with this piece.
        var tokens: [Token] = []

        var isEmpty: Bool { text.isEmpty && tokens.isEmpty }
    }

    struct Token: Equatable {
        let step: TokenStep
        /// Where its text begins and ends, in Unicode scalars of the completion.
        let start: Int
        let end: Int
    }

    private let endIDs: Set<Int>
    private var stream: ModelText.Stream
    private var matcher: StopMatcher
    private var held: [Token] = []
    private var textLength = 0
    private var releasedLength = 0
    /// Tokens taken in.
    private(set) var tokenCount = 0

    init(text: ModelText, stops: [String], endIDs: Set<Int>) {
        self.endIDs = endIDs
        stream = text.stream(skipSpecialTokens: true)
        matcher = StopMatcher(stops)
    }

    /// Whether a stop string was met: no more text comes.
    var isStopped: Bool { matcher.isStopped }

    /// - Returns: what is ready to be sent, maybe nothing.
    mutating func append(_ step: TokenStep) -> Piece {
        tokenCount += 1
        let text = endIDs.contains(step.id) ? "" : stream.append(step.id)
        let start = textLength
        textLength += text.unicodeScalars.count
        held.append(Token(step: step, start: start, end: textLength))
        return release(matcher.append(text)) { $0.end <= $1 }
    }

    /// The end of the tokens.
    /// - Returns: all that is left.
    mutating func finish() -> Piece {
        let text = matcher.append(stream.finish())
        return release(text + matcher.finish()) { _, _ in true }
    }

    private mutating func release(_ text: String, where isReady: (Token, Int) -> Bool) -> Piece {
        releasedLength += text.unicodeScalars.count
        let end = releasedLength
        if isStopped {
            defer { held.removeAll() }
            return Piece(text: text, tokens: held.filter { $0.start < end || $0.end <= end })
        }
        let count = held.firstIndex { !isReady($0, end) } ?? held.count
        defer { held.removeFirst(count) }
        return Piece(text: text, tokens: Array(held[..<count]))
    }
}
