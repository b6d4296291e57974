/// What a worker says of itself when it joins.
package struct WorkerDescription: Sendable, Equatable {
    package var name: String
    /// Bytes that expert weights may take.
    package var memoryBytes: Int
    package var coreCount: Int
    /// The kernel set that it computes with, such as "avx512".
    package var kernelSet: String
    /// Its own path to the checkpoint; empty when it has none and uses the coordinator's.
    package var modelPath: String
    /// The checkpoint's fingerprint; empty with an empty path.
    package var modelFingerprint: [UInt8]
    package var processID: Int

    package init(
        name: String, memoryBytes: Int, coreCount: Int, kernelSet: String, modelPath: String = "",
        modelFingerprint: [UInt8] = [], processID: Int
    ) {
        self.name = name
        self.memoryBytes = memoryBytes
        self.coreCount = coreCount
        self.kernelSet = kernelSet
        self.modelPath = modelPath
        self.modelFingerprint = modelFingerprint
        self.processID = processID
    }
}
