/// Why a policy cannot place experts as asked.
package enum PolicyError: Error, Hashable, Sendable {
    case doesNotDivide(what: String, value: Int, by: String, Int)
    case fewerSlotsThanExperts(slots: Int, experts: Int)
    /// The workers of a stage have too little memory for its experts, or too few of them for an expert's slices.
    case tooFewSlots(stage: Int, needed: Int, available: Int)
    /// The policy places whole experts.
    case slicedExperts(tensor: Int)
    case worker(index: Int, field: String, value: String)
}

extension PolicyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .doesNotDivide(let what, let value, let by, let divisor):
            """
            the policy deepseek cannot deal \(value) \(what) to \(divisor) \(by): choose numbers that divide, or use \
            the policy cohort
            """
        case .fewerSlotsThanExperts(let slots, let experts):
            "\(slots) slots are too few for \(experts) experts: give each expert a slot"
        case .tooFewSlots(let stage, let needed, let available):
            """
            the workers of stage \(stage + 1) have room for \(available) slices of experts and \(needed) are needed: \
            add workers, give them more memory (--memory), or use more stages
            """
        case .slicedExperts(let tensor):
            """
            the policy deepseek places whole experts, and here each is cut into \(tensor) slices: use a \
            tensor-parallel size of 1, or the policy cohort
            """
        case .worker(let index, let field, let value):
            "the \(field) of worker \(index) is \(value): give a positive number"
        }
    }
}
