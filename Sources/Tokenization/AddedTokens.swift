/// The tokens that are cut out of a text before anything else, leftmost first and of those the longest.
struct AddedTokens: Sendable {
    /// The ones the file calls not normalized are looked for first, the others in what is left.
    private let passes: [Trie]

    enum Segment: Equatable {
        case token(Int)
        /// Byte range of the text.
        case text(Range<Int>)
    }

    init(notNormalized: [(content: [UInt8], id: Int)], normalized: [(content: [UInt8], id: Int)]) {
        passes = [notNormalized, normalized].filter { !$0.isEmpty }.map(Trie.init)
    }

    /// Cuts `bytes` into added tokens and the non-empty text between them.
    func segments(of bytes: UnsafeBufferPointer<UInt8>) -> [Segment] {
        var segments: [Segment] = bytes.isEmpty ? [] : [.text(0..<bytes.count)]
        for trie in passes {
            segments = segments.flatMap { segment in
                guard case .text(let range) = segment else { return [segment] }
                return trie.segments(of: bytes, in: range)
            }
        }
        return segments
    }

    /// Nodes by number; an edge is a node and a byte.
    private struct Trie: Sendable {
        private var edges: [Int: Int] = [:]
        private var ids: [Int?] = [nil]
        /// By byte value: whether a token starts so. Spares a look-up at nearly every byte of a text.
        private var starts = Array(repeating: false, count: 256)

        init(_ tokens: [(content: [UInt8], id: Int)]) {
            for token in tokens {
                var node = 0
                if let first = token.content.first { starts[Int(first)] = true }
                for byte in token.content {
                    let edge = node << 8 | Int(byte)
                    if edges[edge] == nil {
                        edges[edge] = ids.count
                        ids.append(nil)
                    }
                    node = edges[edge] ?? 0
                }
                ids[node] = token.id
            }
        }

        func segments(of bytes: UnsafeBufferPointer<UInt8>, in range: Range<Int>) -> [Segment] {
            var segments: [Segment] = []
            var textStart = range.lowerBound
            var position = range.lowerBound
            while position < range.upperBound {
                guard starts[Int(bytes[position])],
                    let match = longestMatch(in: bytes, from: position, to: range.upperBound)
                else {
                    position += 1
                    continue
                }
                if textStart < position { segments.append(.text(textStart..<position)) }
                segments.append(.token(match.id))
                position = match.end
                textStart = position
            }
            if textStart < position { segments.append(.text(textStart..<position)) }
            return segments
        }

        private typealias Match = (id: Int, end: Int)

        private func longestMatch(in bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Match? {
            var longest: Match?
            var node = 0
            for position in start..<end {
                guard let next = edges[node << 8 | Int(bytes[position])] else { break }
                node = next
                if let id = ids[node] { longest = (id, position + 1) }
            }
            return longest
        }
    }
}
