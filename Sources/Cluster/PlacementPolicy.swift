/// Decides which worker holds what.
package enum PlacementPolicy: Sendable, Hashable {
    case cohort(CohortPolicy)
    case deepseek(DeepSeekPolicy)

    /// Experts' worth of slots per layer beyond one for each expert; nil: as many as memory allows.
    package var redundantExperts: Int? {
        switch self {
        case .cohort(let policy): policy.redundantExperts
        case .deepseek(let policy): policy.incremental.redundantExperts
        }
    }

    /// A placement from nothing; what `input.holdings` holds is not looked at.
    package func deal(_ input: PolicyInput) throws(PolicyError) -> Holdings {
        switch self {
        case .cohort(let policy): try policy.deal(input)
        case .deepseek(let policy): try policy.deal(input)
        }
    }

    /// What a request asks for.
    package func rearrange(_ request: RebalanceRequest, _ input: PolicyInput) -> Rearrangement {
        switch (self, request) {
        case (.deepseek(let policy), .rebalance): policy.rebalance(input)
        case (.cohort(let policy), _): policy.rearrange(request, input)
        case (.deepseek(let policy), _): policy.incremental.rearrange(request, input)
        }
    }
}
