/// One answer that a dispatch asks for: expert `expert`'s slice `rank` applied to row `row` of the dispatch.
/// Stands on the wire as it stands in memory: 8 bytes, little-endian.
package struct ExpertPair: BitwiseCopyable, Sendable, Hashable {
    #if _endian(big)
        #error("pairs and rows are sent as they stand in memory, which is little-endian")
    #endif

    /// Index among the dispatch's rows.
    package var row: UInt32
    package var expert: UInt16
    package var rank: UInt16

    package init(row: Int, expert: Int, rank: Int) {
        self.row = UInt32(row)
        self.expert = UInt16(expert)
        self.rank = UInt16(rank)
    }

    package static let byteCount = 8
}
