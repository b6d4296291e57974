/// The bounds on what a peer may make this side hold. Each is far above what any real cluster sends.
package enum WireLimit {
    /// Frames of a peer that has not proved the secret: a Proof with every field at its longest fits.
    package static let unauthenticatedPayload = 2 << 10
    /// Control frames: an assignment of every expert of every layer to one worker takes about 100 KiB.
    package static let controlPayload = 1 << 20
    /// What decoding one control message may allocate; protobuf-c takes up to 40 bytes for a byte on the wire.
    static let decodedBytes = 16 << 20

    package static let nonceBytes = 32
    package static let proofBytes = 32
    package static let fingerprintBytes = 64
    package static let nameBytes = 128
    package static let kernelSetBytes = 64
    package static let pathBytes = 1024
    /// The longest name that the domain name system knows, or an address.
    package static let hostBytes = 255
    package static let messageBytes = 1024
    /// Layers times ranks: 61 layers at a tensor parallel size of 64 is under 4000.
    package static let slotGroups = 16_384
    package static let expertsPerGroup = 65_536
    package static let hiddenSize = 1 << 20
    package static let expertWidth = 1 << 20
    package static let expertsPerToken = 256
    package static let layers = 4096
    /// Slices of an expert: no cluster has so many workers for one.
    package static let ranks = 4096
    /// Rows of one dispatch: a coordinator's longest prefill chunk is 8192.
    package static let rows = 1 << 16
    package static let blockSide = 1 << 16
    /// A chunk of an expert on its way between workers.
    package static let chunkPayload = 2 << 20
}
