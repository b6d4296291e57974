/// The default placement policy. Deterministic, ties go to the lowest index; at most one slice of an expert on a
/// worker; any number of workers, weighted by memory and speed.
package struct CohortPolicy: Sendable, Hashable {
    /// Experts' worth of slots per layer beyond one for each expert; nil: as many as memory allows.
    package var redundantExperts: Int?
    /// Bytes that one rebalance may move; nil: any number.
    package var budgetBytes: Int?
    /// A rebalance that shortens the slowest workers' time by less than this share is left.
    package var threshold: Double

    package init(redundantExperts: Int? = nil, budgetBytes: Int? = nil, threshold: Double = 0.02) {
        self.redundantExperts = redundantExperts
        self.budgetBytes = budgetBytes
        self.threshold = threshold
    }

    /// A placement from nothing; what `input.holdings` holds is not looked at. Without load it is uniform.
    package func deal(_ input: PolicyInput) throws(PolicyError) -> Holdings {
        var input = input
        input.holdings = Holdings(
            layers: input.holdings.layers, experts: input.holdings.expertCount, tensor: input.holdings.tensor)
        var draft = PlacementDraft(input, maximumRedundant: redundantExperts)
        try draft.deal()
        var budget = Int.max
        if !input.loads.isEmpty { draft.level(budget: &budget, tolerance: Self.dealTolerance) }
        return draft.holdings
    }

    /// Levels the present placement within the budget, and adds the redundant slots that are wanting. Nothing when too
    /// little is gained.
    package func rebalance(_ input: PolicyInput) -> Rearrangement {
        var budget = budgetBytes ?? Int.max
        var draft = PlacementDraft(input, maximumRedundant: redundantExperts)
        draft.placeMissing()
        if !input.loads.isEmpty { draft.level(budget: &budget, tolerance: Self.tolerance) }
        let leveled = arrange(input, draft)
        let isWorthIt = leveled.gain >= threshold || !input.holdings.isWhole
        if !isWorthIt {
            draft = PlacementDraft(input, maximumRedundant: redundantExperts)
            budget = budgetBytes ?? Int.max
        }
        if draft.addRedundant(budget: &budget), !input.loads.isEmpty {
            draft.level(budget: &budget, tolerance: Self.tolerance)
        }
        let all = arrange(input, draft)
        return all.isEmpty || all.after.peak > all.before.peak && input.holdings.isWhole
            ? .nothing(all.before, unplaced: input.holdings.missing) : all
    }

    /// Gives a new worker its share: what is missing first, then what levels the workers. No other worker gets
    /// anything.
    package func admit(_ worker: Int, _ input: PolicyInput) -> Rearrangement {
        var draft = PlacementDraft(input, maximumRedundant: redundantExperts)
        draft.placeMissing(onlyTo: worker)
        var budget = Int.max
        draft.level(budget: &budget, onlyTo: worker, tolerance: Self.tolerance)
        return arrange(input, draft)
    }

    /// Empties a worker: what it alone holds goes to others, and nothing else moves. What nobody has room for is
    /// unplaced and stays with it.
    package func drain(_ worker: Int, _ input: PolicyInput) -> Rearrangement {
        var rest = input
        rest.workers.removeAll { $0.index == worker }
        var draft = PlacementDraft(rest, maximumRedundant: redundantExperts)
        draft.placeMissing()
        var target = draft.holdings
        for slot in target.missing where input.holdings.holders(of: slot).contains(worker) {
            target.add(slot, to: worker)
        }
        let way = Rearrangement(input: input, target: target, order: draft.order)
        var left = input.holdings
        for change in way.changes { left.apply(change) }
        return Rearrangement(
            changes: way.changes, before: way.before, after: way.after, unplaced: left.slots(of: worker))
    }

    /// Gives the slots that nobody holds to workers with room; when there are none, restores the redundant ones, so
    /// that what is urgent does not wait for what is not.
    package func repair(_ input: PolicyInput) -> Rearrangement {
        var draft = PlacementDraft(input, maximumRedundant: redundantExperts)
        if input.holdings.isWhole {
            var budget = budgetBytes ?? Int.max
            _ = draft.addRedundant(budget: &budget)
        } else {
            draft.placeMissing()
        }
        return arrange(input, draft)
    }

    /// What a request asks for.
    package func rearrange(_ request: RebalanceRequest, _ input: PolicyInput) -> Rearrangement {
        switch request {
        case .rebalance: rebalance(input)
        case .admit(let worker): admit(worker, input)
        case .drain(let worker): drain(worker, input)
        case .repair: repair(input)
        }
    }

    /// How level is level enough: while serving every step costs bytes, at the start it does not.
    private static let tolerance = 0.01
    private static let dealTolerance = 0.001

    private func arrange(_ input: PolicyInput, _ draft: PlacementDraft) -> Rearrangement {
        Rearrangement(input: input, target: draft.holdings, order: draft.order)
    }
}
