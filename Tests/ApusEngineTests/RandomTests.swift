import ApusEngine
import ApusKernelInterface
import ApusTestSupport
import Testing

@Suite struct RandomTests {
  /// The words of Philox4x32-10 for one counter.
  private func philox(_ counter: UInt64, _ stream: UInt64, _ key: UInt64) -> [UInt32] {
    var c = [counter & 0xffff_ffff, counter >> 32, stream & 0xffff_ffff, stream >> 32].map { UInt32($0) }
    var k = [UInt32(key & 0xffff_ffff), UInt32(key >> 32)]
    for _ in 0..<10 {
      let p = UInt64(c[0]) * 0xD251_1F53
      let q = UInt64(c[2]) * 0xCD9E_8D57
      c = [
        UInt32(q >> 32) ^ c[1] ^ k[0], UInt32(q & 0xffff_ffff), UInt32(p >> 32) ^ c[3] ^ k[1],
        UInt32(p & 0xffff_ffff),
      ]
      k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
    }
    return c
  }

  /// The authors' own test vectors.
  @Test func knownAnswers() {
    #expect(philox(0, 0, 0) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    #expect(
      philox(.max, .max, .max) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
  }

  private func word(_ number: UInt64, _ stream: UInt64, _ seed: UInt64) -> UInt32 {
    philox(number / 64 * 16 + number % 16, stream, seed)[Int(number % 64 / 16)]
  }

  @Test(arguments: InstructionSet.available)
  func uniformNumbersAreTheGenerators(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for (seed, offset, count) in [(UInt64(1), UInt64(0), 200), (0xdead_beef_1234_5678, 37, 70), (7, 1 << 40, 3)] {
      for type in gemmTypes {
        let y = RealArray(type, count: count)
        try RandomFill(.uniform, dataType: type, a: 0, b: 1).run(
          context: context, seed: seed, offset: offset, count: count, y: y.pointer)
        for i in 0..<count {
          let number = offset + UInt64(i)
          let high = word(number, 0, seed)
          let wanted =
            type == .float32
            ? (Double(high >> 9) + 0.5) * 0x1p-23
            : (Double(high >> 1) * 0x1p21 + Double(word(number, 1, seed) >> 11) + 0.5) * 0x1p-52
          #expect(y[i] == wanted, "\(set) \(type) \(i)")
        }
      }
    }
  }

  /// A number depends on its place alone: cuts, threads and back ends change nothing; and the moments are right.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func distributions(_ set: InstructionSet, _ type: DataType) throws {
    let count = 40_000
    for (distribution, mean, variance) in [
      (RandomDistribution.uniform, 2.5, 0.75), (.normal, 1, 9), (.truncatedNormal, 1, 9 * 0.7737413),
    ] {
      let fill = RandomFill(distribution, dataType: type, a: 1, b: distribution == .uniform ? 4 : 3)
      let whole = RealArray(type, count: count)
      let serial = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
      try fill.run(context: serial, seed: 5, offset: 11, count: count, y: whole.pointer)
      let x = whole.values
      let average = x.reduce(0, +) / Double(count)
      let spread = x.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(count)
      #expect(abs(average - mean) < 5 * (variance / Double(count)).squareRoot(), "\(distribution) \(average)")
      #expect(abs(spread - variance) < 0.04 * variance, "\(distribution) \(spread)")
      if distribution == .uniform { #expect(x.allSatisfy { $0 >= 1 && $0 < 4 }) }
      if distribution == .truncatedNormal { #expect(x.allSatisfy { abs($0 - 1) <= 6.0001 }) }
      for setting in Setting.of(set) {
        let again = RealArray(type, count: count)
        try fill.run(context: setting.context(), seed: 5, offset: 11, count: count, y: again.pointer)
        #expect(again.memory.isEqual(to: whole.memory), "\(setting)")
      }
      let part = RealArray(type, count: 100)
      try fill.run(context: serial, seed: 5, offset: 11 + 333, count: 100, y: part.pointer)
      #expect(part.values == Array(x[333..<433]))
    }
  }

  /// Quantiles of the normal distribution at known places, by numbers that are known to be uniform.
  @Test(arguments: InstructionSet.available)
  func normalNumbersAreQuantiles(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    let count = 5000
    let (u, z) = (RealArray(.float64, count: count), RealArray(.float64, count: count))
    try RandomFill(.uniform, dataType: .float64, a: 0, b: 1).run(
      context: context, seed: 3, offset: 0, count: count, y: u.pointer)
    try RandomFill(.normal, dataType: .float64, a: 0, b: 1).run(
      context: context, seed: 3, offset: 0, count: count, y: z.pointer)
    for i in 0..<count {
      let back = 0.5 * (1 + ElementReference.value(.erf, z[i] / 2.0.squareRoot(), 0, 0))
      #expect(abs(back - u[i]) < 1e-14, "\(u[i]) \(z[i])")
    }
  }

  @Test(arguments: InstructionSet.available, gemmTypes)
  func dropout(_ set: InstructionSet, _ type: DataType) throws {
    let count = 30_000
    var x = [Double](repeating: 2, count: count)
    x[0] = .nan
    let source = RealArray(type, x)
    let y = RealArray(type, count: count)
    for setting in Setting.of(set) {
      try Dropout.run(
        type, context: setting.context(), probability: 0.25, seed: 9, offset: 5, count: count, x: source.pointer,
        y: y.pointer)
      var kept = 0
      for i in 1..<count {
        let stays = Double(word(UInt64(i) + 5, 0, 9)) >= 0.25 * 0x1p32
        if i < 500 { #expect(y[i] == (stays ? type.rounded(2 * type.rounded(1 / 0.75)) : 0)) }
        kept += y[i] != 0 ? 1 : 0
      }
      #expect(abs(Double(kept) / Double(count) - 0.75) < 0.015)
    }
    let context = try ExecutionContext(instructionSet: set, backend: .serial, threads: 1)
    for (p, factor) in [(0.0, 1.0), (1, 0)] {
      try Dropout.run(
        type, context: context, probability: p, seed: 9, offset: 5, count: count, x: source.pointer, y: y.pointer)
      #expect(y.values[1...].allSatisfy { $0 == 2 * factor })
    }
    let error = #expect(throws: ApusError.self) {
      try Dropout.run(
        type, context: context, probability: 1.5, seed: 0, offset: 0, count: 1, x: source.pointer, y: y.pointer)
    }
    #expect(error?.message == "probability is 1.5, but it must be from 0 to 1")
  }

  @Test(arguments: gemmTypes)
  func initializers(_ type: DataType) throws {
    let context = try ExecutionContext(threads: 2)
    for initializer in Initializer.allCases {
      let (rows, columns) = (12, 20)
      let y = RealArray(type, count: rows * columns)
      try initializer.run(
        type, context: context, fanIn: columns, fanOut: rows, gain: 2, seed: 1, offset: 0, count: y.count, y: y.pointer)
      if initializer == .orthogonal {
        for i in 0..<rows {
          for j in 0..<rows {
            let product = (0..<columns).reduce(0.0) { $0 + y[i * columns + $1] * y[j * columns + $1] }
            #expect(abs(product - (i == j ? 4 : 0)) < 1e-5)
          }
        }
        continue
      }
      let variance = y.values.reduce(0) { $0 + $1 * $1 } / Double(y.count)
      let wanted: Double =
        switch initializer {
        case .glorotUniform, .glorotNormal: 2.0 / 32
        case .heUniform, .heNormal: 2.0 / 20
        default: 1.0 / 20
        }
      #expect(variance > 4 * wanted * 0.7 && variance < 4 * wanted * 1.4, "\(initializer)")
    }
  }
}
