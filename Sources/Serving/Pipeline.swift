internal import Experts
internal import Model

/// Passes under way, oldest first, one per pipeline stage: while a later stage's workers compute one batch, an earlier
/// stage's compute the next. Passes of many rows may be two in a stage, where that keeps both sides at work: while the
/// workers compute one's experts, this process computes the other's attention. A pass never overtakes the one before
/// it, so consecutive chunks of a prompt may follow one another.
final class Pipeline {
    private let experts: any RoutedExperts
    private var passes: [ForwardPass] = []

    init(experts: any RoutedExperts) {
        self.experts = experts
    }

    var isEmpty: Bool { passes.isEmpty }

    /// Whether the first stage is free.
    var hasRoom: Bool {
        guard let newest = passes.last else { return true }
        guard passes.count < experts.stageCount, let layer = newest.layerInFlight else { return false }
        return experts.stage(of: layer) > 0
    }

    /// Whether the first stage takes a pass of many rows beside those that it has.
    var hasRoomBeside: Bool {
        let inFirst = passes.count { pass in pass.layerInFlight.map { experts.stage(of: $0) == 0 } ?? true }
        return inFirst < experts.passesPerStage && passes.count < experts.passesPerStage * experts.stageCount
    }

    func admit(_ pass: ForwardPass) {
        precondition(hasRoom || hasRoomBeside, "the first stage is taken")
        passes.append(pass)
    }

    /// Moves every pass to its next dispatch.
    /// - Returns: the passes that came to their end.
    func advance() throws -> [ForwardPass] {
        for pass in passes { try pass.advance(experts) }
        defer { passes.removeAll(where: \.isFinished) }
        return passes.filter(\.isFinished)
    }

    func abandon() { passes.removeAll() }
}
