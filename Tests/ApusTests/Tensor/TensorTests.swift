import Testing

@testable import Apus

@Suite struct TensorTests {
  @Test func literalsHaveTheirShape() {
    let x: Tensor = [[1, 2, 3], [4, 5, 6]]
    #expect(x.shape == [2, 3])
    #expect(x.dtype == .float32)
    #expect(x.array(of: Float.self) == [1, 2, 3, 4, 5, 6])
  }

  @Test func copiesAreValues() {
    let x: Tensor = [[1, 2], [3, 4]]
    var y = x
    y[0, 1] = Tensor(Float(9))
    #expect(x.array(of: Float.self) == [1, 2, 3, 4])
    #expect(y.array(of: Float.self) == [1, 9, 3, 4])
    y[1] = [7, 8]
    #expect(y.array(of: Float.self) == [1, 9, 7, 8])
  }

  @Test func writingThroughAViewLeavesTheOriginal() {
    let x = Tensor([1, 2, 3, 4, 5, 6].map(Float.init), shape: [2, 3])
    var column = x.transposed()
    column[0] = [10, 20]
    #expect(x.array(of: Float.self) == [1, 2, 3, 4, 5, 6])
    #expect(column.array(of: Float.self) == [10, 20, 2, 5, 3, 6])
  }

  @Test func viewsReadTheRightElements() {
    let x = Tensor.range(to: 24).reshaped([2, 3, 4])
    #expect(x[1, 2, 3].scalar == 23)
    #expect(x[1, .all, 0..<2].array(of: Int32.self) == [12, 13, 16, 17, 20, 21])
    #expect(x.permuted([2, 0, 1])[3, 1, 0].scalar == 15)
    #expect(x.sliced(0..<4, along: 2, step: 3).array(of: Int64.self) == [0, 3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23])
    #expect(x.swappingAxes(0, 2).reshaped([-1])[1].scalar == 12)
    #expect(x.broadcast(to: [5, 2, 3, 4])[4, 1, 2, 3].scalar == 23)
    #expect(!x.permuted([2, 0, 1]).isContiguous)
    #expect(x.permuted([2, 0, 1]).contiguous().isContiguous)
  }

  @Test(arguments: DataType.allCases, DataType.allCases)
  func conversionsKeepSmallNumbers(from: DataType, to: DataType) {
    let x = Tensor([0, 1, 1, 0, 1] as [Float]).converted(to: from)
    #expect(x.converted(to: to).array(of: Double.self) == [0, 1, 1, 0, 1])
    let matrix = x[0..<4].reshaped([2, 2]).transposed()
    #expect(matrix.converted(to: to).array(of: Double.self) == [0, 1, 1, 0])
  }

  @Test func conversionsClamp() {
    let x = Tensor([-1.5, 300.7, .nan, 1e20] as [Double])
    #expect(x.array(of: UInt8.self) == [0, 255, 0, 255])
    #expect(x.array(of: Int32.self) == [-1, 300, 0, .max])
    #expect(x.array(of: Bool.self) == [true, true, true, true])
  }

  @Test(arguments: [
    ([3], [3], [3]), ([2, 3], [3], [2, 3]), ([2, 1], [1, 3], [2, 3]), ([], [2], [2]), ([4, 1, 2], [3, 1], [4, 3, 2]),
    ([0, 3], [3], [0, 3]),
  ])
  func broadcastingMatchesIndices(_ a: [Int], _ b: [Int], _ expected: [Int]) {
    let x = Tensor.range(to: Double(a.reduce(1, *))).reshaped(a)
    let y = Tensor.range(from: 10, to: 10 + Double(b.reduce(1, *))).reshaped(b)
    let z = x * 2 + y
    #expect(z.shape == expected)
    let (p, q) = (x.broadcast(to: expected).array(of: Double.self), y.broadcast(to: expected).array(of: Double.self))
    #expect(z.array(of: Double.self) == zip(p, q).map { $0 * 2 + $1 })
  }

  @Test func integersComputeExactly() {
    let x = Tensor([Int64.max - 1, -7, 2])
    #expect((x + Tensor([1, 1, 1])).array(of: Int64.self) == [.max, -6, 3])
    #expect((Tensor([7, -7, 2]) / Tensor([2, 2, 2])).array(of: Int64.self) == [3, -3, 1])
    #expect((Tensor([200] as [UInt8]) + Tensor([100] as [UInt8])).array(of: UInt8.self) == [44])
    #expect((x .> 0).array(of: Bool.self) == [true, false, true])
  }

  @Test func joiningAndSplitting() {
    let x = Tensor.range(to: 6).reshaped([2, 3])
    let both = concatenate([x, x + 10], along: 1)
    #expect(both.shape == [2, 6])
    #expect(both.array(of: Int32.self) == [0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15])
    #expect(both.split([3, 3], along: 1)[1] == x + 10)
    #expect(stack([x, x], at: 1).shape == [2, 2, 3])
    #expect(x.gathered(Tensor([2, 0]), along: 1).array(of: Int32.self) == [2, 0, 5, 3])
    #expect(Tensor([1, 0]).oneHot(3).array(of: Int32.self) == [0, 1, 0, 1, 0, 0])
  }

  @Test func printsAsNumPyDoes() {
    #expect("\(Tensor([1, 2.5, -3] as [Float]))" == "[ 1.   2.5 -3. ]")
    #expect("\([[1, 2], [3, 4]] as Tensor)" == "[[1. 2.]\n [3. 4.]]")
    #expect("\(Tensor([1, 20, 300]))" == "[  1  20 300]")
    #expect("\(Tensor(Float(1) / 3))" == "0.33333334")
    #expect("\(Tensor([1e-10, 1]))" == "[1.e-10 1.e+00]")
    #expect("\(Tensor([true, false]))" == "[ true false]")
    #expect("\(Tensor.range(to: 2000, dtype: .int32))" == "[   0    1    2 ... 1997 1998 1999]")
    #expect("\(Tensor.zeros([2, 1, 2]))" == "[[[0. 0.]]\n\n [[0. 0.]]]")
    #expect("\(Tensor.zeros([0]))" == "[]")
    #expect("\(Tensor([0.1 + 0.2]))" == "[0.3]")
  }

  @Test func reductionsMatchLoops() {
    let values = (0..<24).map { Double(($0 * 7) % 24) - 11.5 }
    let x = Tensor(values, shape: [2, 3, 4])
    #expect(abs(x.sum().scalar - values.reduce(0, +)) < 1e-12)
    #expect(x.sum(along: [0, 2]).shape == [3])
    #expect(x.max(along: [2], keepsAxes: true).shape == [2, 3, 1])
    #expect(x.max().scalar == values.max())
    #expect(x.argmax(along: 2)[0, 1].scalar == Double((4..<8).max { values[$0] < values[$1] }! - 4))
    #expect(x.transposedMean == x.swappingAxes(0, 2).mean(along: [0]).array(of: Double.self))
    #expect(Tensor([1, 2, 3]).sum().item(Int64.self) == 6)
  }

  @Test func matrixProductsMatchLoops() {
    let a = Tensor.range(to: 6, dtype: .float64).reshaped([2, 3])
    let b = Tensor.range(from: 1, to: 13, dtype: .float64).reshaped([3, 4])
    let expected: [Double] = [23, 26, 29, 32, 68, 80, 92, 104]
    #expect(matmul(a, b).array(of: Double.self) == expected)
    #expect(
      matmul(a.transposed().contiguous().transposed(), b.transposed().contiguous().transposed()).array(of: Double.self)
        == expected)
    #expect(matmul(a, b[.all, 1]).shape == [2])
    #expect(matmul(a[0], b).array(of: Double.self) == [23, 26, 29, 32])
    let batch = stack([a, a + 1])
    #expect(matmul(batch, b)[0].array(of: Double.self) == expected)
    #expect(matmul(batch, stack([b, b]))[0].array(of: Double.self) == expected)
    #expect(matmul(a, stack([b, b])).shape == [2, 2, 4])
  }

  @Test func pooledSizesFitAndWasteLittle() {
    var places: [Int: Int] = [:]
    for bytes in Array(0...5000) + [1 << 20, (1 << 20) + 1, 3 << 28, (1 << 40) - 1] {
      let (size, place) = StoragePool.roundedSize(bytes)
      #expect(size >= bytes && size % 64 == 0)
      #expect(bytes < 256 || size - bytes <= size / 5)
      #expect(places.updateValue(size, forKey: place) ?? size == size, "two sizes share place \(place)")
    }
  }

  @Test func shapeErrorsNameOperationAndShapes() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.zeros([2, 3]) + Tensor.zeros([4])
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("+: the shapes [2, 3] and [4] do not broadcast"))
    let product = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = matmul(Tensor.zeros([2, 3]), Tensor.zeros([4, 5]))
    }
    let message = String(decoding: product?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("matmul: the shapes [2, 3] and [4, 5]"))
  }
}

extension Tensor {
  fileprivate var transposedMean: [Double] {
    let (a, b, c) = (shape[0], shape[1], shape[2])
    let values = array(of: Double.self)
    return (0..<b).flatMap { j in
      (0..<a).map { i in (0..<c).reduce(0) { $0 + values[(i * b + j) * c + $1] } / Double(c) }
    }
  }
}
