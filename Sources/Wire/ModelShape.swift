internal import CWire

/// What a worker must know of the model's routed experts, whether it can read the checkpoint or not.
package struct ModelShape: Sendable, Equatable {
    /// Rows and columns of the blocks of an FP8 matrix that share one scale.
    package struct Block: Sendable, Equatable {
        package let rows: Int
        package let columns: Int

        package init(rows: Int, columns: Int) {
            self.rows = rows
            self.columns = columns
        }
    }

    package var expertCount: Int
    package var expertsPerToken: Int
    /// Inner width of one expert.
    package var expertWidth: Int
    /// The layers with routed experts, by their index in the checkpoint.
    package var layers: Range<Int>
    /// nil where no weights are FP8.
    package var block: Block?

    package init(expertCount: Int, expertsPerToken: Int, expertWidth: Int, layers: Range<Int>, block: Block?) {
        self.expertCount = expertCount
        self.expertsPerToken = expertsPerToken
        self.expertWidth = expertWidth
        self.layers = layers
        self.block = block
    }
}

extension ModelShape {
    init(decoding raw: UnsafePointer<Cohort__Wire__ModelShape>?) throws(ControlError) {
        guard let raw = raw?.pointee else { throw .outOfRange(field: "model", value: 0) }
        let first = try ProtobufField.count(raw.first_layer, in: 0...WireLimit.layers, field: "first_layer")
        let count = try ProtobufField.count(raw.layer_count, in: 1...WireLimit.layers, field: "layer_count")
        self.init(
            expertCount: try ProtobufField.count(
                raw.expert_count, in: 1...WireLimit.expertsPerGroup, field: "expert_count"),
            expertsPerToken: try ProtobufField.count(
                raw.experts_per_token, in: 1...WireLimit.expertsPerToken, field: "experts_per_token"),
            expertWidth: try ProtobufField.count(
                raw.expert_width, in: 1...WireLimit.expertWidth, field: "expert_width"),
            layers: first..<first + count, block: try Block(rows: raw.block_rows, columns: raw.block_columns))
    }

    var encoded: Cohort__Wire__ModelShape {
        var raw = Cohort__Wire__ModelShape()
        cohort__wire__model_shape__init(&raw)
        raw.expert_count = UInt32(expertCount)
        raw.experts_per_token = UInt32(expertsPerToken)
        raw.expert_width = UInt32(expertWidth)
        raw.first_layer = UInt32(layers.lowerBound)
        raw.layer_count = UInt32(layers.count)
        raw.block_rows = UInt32(block?.rows ?? 0)
        raw.block_columns = UInt32(block?.columns ?? 0)
        return raw
    }
}

extension ModelShape.Block {
    /// nil for 0 and 0, which stand for none.
    init?(rows: UInt32, columns: UInt32) throws(ControlError) {
        guard rows != 0 || columns != 0 else { return nil }
        self.init(
            rows: try ProtobufField.count(rows, in: 1...WireLimit.blockSide, field: "block_rows"),
            columns: try ProtobufField.count(columns, in: 1...WireLimit.blockSide, field: "block_columns"))
    }
}
