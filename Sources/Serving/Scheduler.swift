internal import Model

/// Chooses what the next pass computes: one token of every sequence that decodes, then prompts in the room that is
/// left.
struct Scheduler {
    /// The most rows of one pass.
    let maximumRows: Int
    /// Passes that may be under way at once; decoding sequences are dealt over them.
    let passCount: Int

    /// What one sequence gives to a pass.
    struct Part {
        let sequence: GenerationSequence
        let positions: Range<Int>

        /// Not to be kept: a sequence whose tokens somebody else has, copies them all when it gets another one.
        var segment: Batch.Segment {
            Batch.Segment(
                cache: sequence.cache, tokens: sequence.tokens[positions], firstPosition: positions.lowerBound)
        }
    }

    /// Whether so many rows of prompts wait that a pass of them reads few weights for each: half as many as a pass has.
    func hasPromptForPass(_ sequences: [GenerationSequence]) -> Bool {
        sequences.reduce(0) { $0 + ($1.isPrefilling ? $1.waitingCount : 0) } * 2 >= maximumRows
    }

    /// - Parameter sequences: all that run, oldest first.
    /// - Returns: empty when nothing waits.
    func schedule(_ sequences: [GenerationSequence]) -> [Part] {
        var room = maximumRows
        var parts: [Part] = []
        let decoding = sequences.filter { !$0.isPrefilling }
        let share = (decoding.count + passCount - 1) / passCount
        for sequence in decoding.filter({ $0.waitingCount > 0 }).prefix(share) where room > 0 {
            parts.append(Part(sequence: sequence, positions: sequence.take(1)))
            room -= 1
        }
        for sequence in sequences where sequence.isPrefilling && room > 0 {
            let positions = sequence.take(room)
            room -= positions.count
            parts.append(Part(sequence: sequence, positions: positions))
        }
        return parts
    }
}
