internal import Experts

/// The routing of every mixture layer of one pass, put down as the pass comes by: in one place, so that a layer does
/// not wait for memory of each of its sequences.
final class PassRouting {
    let expertsPerToken: Int
    private(set) var layers: [Int] = []
    /// [layers, rows, experts per token]
    private var experts: [Int32] = []
    private var weights: [Float] = []
    private let rowCount: Int

    init(rowCount: Int, expertsPerToken: Int) {
        self.rowCount = rowCount
        self.expertsPerToken = expertsPerToken
    }

    func append(_ routing: Routing, layer: Int) {
        precondition(routing.pairCount == rowCount * expertsPerToken, "a pass has its rows in every layer")
        layers.append(layer)
        experts.append(contentsOf: UnsafeBufferPointer(start: routing.experts, count: routing.pairCount))
        weights.append(contentsOf: UnsafeBufferPointer(start: routing.weights, count: routing.pairCount))
    }

    /// Calls `body` with a row's experts and weights in each layer, in order.
    func forEachLayer(row: Int, _ body: (ArraySlice<Int32>, ArraySlice<Float>) -> Void) {
        for layer in layers.indices {
            let first = (layer * rowCount + row) * expertsPerToken
            body(experts[first..<first + expertsPerToken], weights[first..<first + expertsPerToken])
        }
    }
}
