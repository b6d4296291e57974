/// One host as a plan sees it.
package struct Machine: Hashable, Sendable {
    /// Rates that a plan assumes where nothing is known: eight channels of DDR4-3200, and 25 Gb/s Ethernet.
    package static let assumedMemoryBandwidth = 200e9
    package static let assumedLinkBandwidth = 3.125e9

    package let name: String
    package let host: String?
    /// nil: not known, so that nothing is refused.
    package let memoryBytes: Int?
    /// Bytes per second that all cores together read.
    package let memoryBandwidth: Double
    /// Bytes per second in each direction.
    package let linkBandwidth: Double
    /// Infinite where nothing is known, so that memory and links alone set the limits.
    package let multiplyAddsPerSecond: Double
    /// What a question and its answer take beyond their bytes' time.
    package let roundTripSeconds: Double

    package init(
        name: String, host: String? = nil, memoryBytes: Int? = nil, memoryBandwidth: Double? = nil,
        linkBandwidth: Double? = nil, multiplyAddsPerSecond: Double = .infinity, roundTripSeconds: Double = 0
    ) {
        self.name = name
        self.host = host
        self.memoryBytes = memoryBytes
        self.memoryBandwidth = memoryBandwidth ?? Self.assumedMemoryBandwidth
        self.linkBandwidth = linkBandwidth ?? Self.assumedLinkBandwidth
        self.multiplyAddsPerSecond = multiplyAddsPerSecond
        self.roundTripSeconds = roundTripSeconds
    }
}
