/// What stands before packed weights. The buffer holds no pointer, so it may be moved and stored.
struct PackedWeightsHeader: Equatable {
  static let magic: UInt64 = 0x3157_4b43_5355_5041  // "APUSCKW1"
  static let bytes = 64

  var magic = Self.magic
  var instructionSet: Int32
  var dataType: Int32
  var algorithm: Int32
  /// 0: y from x of a plain convolution, and its gradient by weights; 1: the other way; 2: a gradient of planes.
  var form: Int32
  var channels: Int32
  var filters: Int32
  var groups: Int32
  var depth: Int32
  var height: Int32
  var width: Int32
  /// The order of the taps depends on stride, dilation and padding where a stride leaves remainders.
  var order: UInt64
  /// Fills the header's bytes, so that a stored buffer has none that nobody set.
  var reserved: UInt64 = 0
}

extension ConvolutionPlan {
  var header: PackedWeightsHeader {
    let isBig = direction.onSides(isTransposed: descriptor.isTransposed) == .gatherBig
    let window = sides.window
    var order: UInt64 = 0
    if isBig {
      // FNV-1a over what decides the order.
      order = 0xcbf2_9ce4_8422_2325
      for i in 0..<3 {
        let length = min(window.stride[i], window.input[i])
        for value in [window.stride[i], length, window.dilation[i], window.padBefore[i] % window.stride[i]] {
          order = (order ^ UInt64(value)) &* 0x100_0000_01b3
        }
      }
    }
    return PackedWeightsHeader(
      instructionSet: instructionSet.rawValue, dataType: descriptor.dataType.rawValue,
      algorithm: algorithm == .implicitGemm ? ConvolutionAlgorithm.direct.rawValue : algorithm.rawValue,
      form: isBig ? 1 : direction == .backwardWeights && algorithm == .planes ? 2 : 0, channels: Int32(sides.c),
      filters: Int32(sides.k), groups: Int32(sides.groups),
      depth: Int32(window.window.depth), height: Int32(window.window.height), width: Int32(window.window.width),
      order: order)
  }

  /// The body of packed weights. Throws `.mismatch` where they were made for another plan.
  func packedBody(_ name: String, _ packed: UnsafeRawPointer) throws(ApusError) -> UnsafeRawPointer {
    let found = packed.loadUnaligned(as: PackedWeightsHeader.self)
    let expected = header
    if found == expected { return packed + PackedWeightsHeader.bytes }
    if found.magic != PackedWeightsHeader.magic {
      throw ApusError(.mismatch, "\(name) is not a packed operand, but the plan takes packed weights")
    }
    func text(_ h: PackedWeightsHeader) -> String {
      let set = InstructionSet(rawValue: h.instructionSet)?.name ?? "instruction set \(h.instructionSet)"
      let type = DataType(rawValue: h.dataType)?.name ?? "type \(h.dataType)"
      let name = ConvolutionAlgorithm(rawValue: h.algorithm)?.name ?? "algorithm \(h.algorithm)"
      return "\(h.filters) x \(h.channels) / \(h.groups) x \(h.depth) x \(h.height) x \(h.width), \(name), "
        + "\(h.form == 0 ? "forward" : "backward by data"), \(type), \(set)"
    }
    let suffix = text(found) == text(expected) ? " with another stride, dilation or padding" : ""
    throw ApusError(
      .mismatch, "\(name) was packed for \(text(found))\(suffix), but the plan takes \(text(expected))")
  }

  /// Weights in the framework's order into the plan's own form; `packed` has room for `packedWeightBytes`, and any
  /// alignment will do (64 is fastest). Serves plans of the same type, instruction set, algorithm, channels, groups and
  /// kernel; backward by data, of the same stride, dilation and padding too. Allocates nothing.
  public func packWeights(
    _ weights: UnsafeRawPointer?, into packed: UnsafeMutableRawPointer?, capacity: Int, context: ExecutionContext
  ) throws(ApusError) {
    guard let weights else { throw .invalid("weights", "NULL", "it has \(descriptor.weightCount) elements") }
    guard let packed else { throw .invalid("packed", "NULL", "it must have room for \(packedWeightBytes) bytes") }
    if capacity < packedWeightBytes {
      throw .invalid("packed_bytes", capacity, "the packed weights take \(packedWeightBytes)")
    }
    packed.storeBytes(of: header, as: PackedWeightsHeader.self)
    try context.parallel(parts: method.weightParts, slots: threadsUsed(context: context)) { _, part in
      method.pack(weights, into: packed + PackedWeightsHeader.bytes, part: part)
    }
  }

  /// Packed weights, or a packed gradient, in the framework's order. Throws `.mismatch` where they belong to another
  /// plan. Allocates nothing.
  public func unpackWeights(
    _ packed: UnsafeRawPointer?, into weights: UnsafeMutableRawPointer?, context: ExecutionContext
  ) throws(ApusError) {
    guard let packed else { throw .invalid("packed", "NULL", "it must hold \(packedWeightBytes) bytes") }
    guard let weights else { throw .invalid("weights", "NULL", "it has \(descriptor.weightCount) elements") }
    let body = try packedBody("packed", packed)
    try context.parallel(parts: method.weightParts, slots: threadsUsed(context: context)) { _, part in
      method.unpack(body, into: weights, accumulate: false, part: part)
    }
  }
}
