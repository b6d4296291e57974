/// Which known word a mistyped one was meant to be.
enum Spelling {
    /// The known word with the fewest edits, if they are few for its length; the first of equals.
    static func nearest(to word: String, among known: [String]) -> String? {
        let scored = known.map { (word: $0, edits: edits(from: Array(word.utf8), to: Array($0.utf8))) }
        guard let best = scored.min(by: { $0.edits < $1.edits }) else { return nil }
        return best.edits <= max(2, best.word.utf8.count / 3) ? best.word : nil
    }

    /// Levenshtein's distance: insertions, deletions and replacements.
    private static func edits(from source: [UInt8], to target: [UInt8]) -> Int {
        var row = Array(0...target.count)
        for (index, byte) in source.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in target.indices {
                let replaced = diagonal + (byte == target[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[target.count]
    }
}
