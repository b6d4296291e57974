internal import Cluster

/// What is needed to send a flight's portions that the plan keeps back, for as long as it keeps any.
struct Reserve {
    let answers: Answers
    /// The placement that they were planned for: where its layer's experts are, and its version.
    let table: SlotTable
    let epoch: UInt32
    /// The hidden vectors as they travel.
    let rows: UnsafeRawPointer
}
