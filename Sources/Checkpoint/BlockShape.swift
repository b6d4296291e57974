/// Rows and columns of the blocks of an FP8 matrix that share one scale.
package struct BlockShape: Equatable, Sendable {
    package let rows: Int
    package let columns: Int

    package init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }

    /// What DeepSeek publishes.
    package static let published = BlockShape(rows: 128, columns: 128)

    /// Rows and columns of the scales of a matrix [rows, columns]: blocks at its edges may be short.
    package func scaleShape(rows matrixRows: Int, columns matrixColumns: Int) -> (rows: Int, columns: Int) {
        ((matrixRows + rows - 1) / rows, (matrixColumns + columns - 1) / columns)
    }

    /// quantization_config of a config; nil if there is none.
    init?(_ fields: ConfigFields) throws(CheckpointError) {
        guard let quantization = try fields.object("quantization_config") else { return nil }
        let method = try quantization.string("quant_method")
        guard method == "fp8" else {
            throw quantization.error(
                .unsupported, "quant_method", "\"\(method)\" is not supported",
                remedy: "use the model in FP8 with block scales, or in bf16")
        }
        if quantization.value("fmt") != nil {
            let format = try quantization.string("fmt")
            guard format == "e4m3" else {
                throw quantization.error(
                    .unsupported, "fmt", "\"\(format)\" is not supported", remedy: "use a model with fmt \"e4m3\"")
            }
        }
        let sides = try quantization.integers("weight_block_size", in: 1...ModelConfig.Limit.blockSide)
        guard sides.count == 2 else {
            throw quantization.error(.invalid, "weight_block_size", "expected a list of two sides, [rows, columns]")
        }
        self.init(rows: sides[0], columns: sides[1])
    }
}
