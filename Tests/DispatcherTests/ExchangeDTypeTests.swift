import Dispatcher
import Experts
import Testing
import Wire

@Suite struct ExchangeDTypeTests {
    @Test("rows and answers weigh on the wire what they weigh where they are computed", arguments: WireDType.allCases)
    func sizes(_ dtype: WireDType) {
        let exchange = ExchangeDType(dtype)
        #expect(exchange.onTheWire == dtype)
        for hiddenSize in [1, 2, 3, 96, 127, 128, 129, 2048, 7168] {
            let shape = RowShape(hiddenSize: hiddenSize, dtype: dtype)
            #expect(exchange.rowByteCount(hiddenSize) == shape.byteCount)
            #expect(exchange.answerByteCount(hiddenSize) == shape.answerByteCount)
        }
    }
}
