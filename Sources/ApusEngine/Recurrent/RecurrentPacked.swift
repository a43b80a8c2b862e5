import ApusKernelInterface

/// What stands before packed weights. The buffer holds no pointer, so it may be moved and stored.
struct RecurrentPackedHeader: Equatable {
  static let magic: UInt64 = 0x3152_4b43_5355_5041  // "APUSCKR1"
  static let bytes = 64

  var magic = Self.magic
  var instructionSet: Int32
  var dataType: Int32
  var cell: Int32
  var directions: Int32
  var biases: Int32
  /// 1: peepholes; 2: the layers' outputs are summed.
  var flags: Int32
  var layers: Int32
  var input: Int32
  var hidden: Int32
  var projection: Int32
  /// 1: what backward needs follows.
  var training: Int32
  var reserved: Int32 = 0
  var padding: UInt64 = 0
}

/// Places of one recurrence's packed weights, from its beginning, in bytes.
struct RecurrentPackedPlaces {
  /// Forward: the input's weights as a packed operand, the sum of the biases, gate n's recurrent bias, peepholes, panels.
  let input: Int
  let bias: Int
  let gateBias: Int
  let peepholes: Int
  let products: (Int, Int)
  let forwardBytes: Int
  /// Backward: the input's weights as a packed operand the other way, panels.
  let data: Int
  let backward: (Int, Int)
  let backwardBytes: Int

  init(_ plan: RecurrentPlan, layer: Int) {
    let d = plan.descriptor
    let size = d.dataType.size
    var layout = AreaLayout()
    input = layout.add(plan.inputProducts(layer: layer).whole.packedBytes(.b))
    bias = layout.add(d.biases > 0 ? d.gateRows * size : 0)
    gateBias = layout.add(d.cell == .gru && d.biases > 1 ? d.hidden * size : 0)
    peepholes = layout.add(d.hasPeepholes ? 3 * d.hidden * size : 0)
    func place(_ products: [RecurrentProduct], _ index: Int) -> Int {
      layout.add(index < products.count ? products[index].elements * size : 0)
    }
    products = (place(plan.forwardProducts, 0), place(plan.forwardProducts, 1))
    forwardBytes = layout.bytes
    layout = AreaLayout()
    data = layout.add(plan.gradientProducts(layer: layer)?.data.packedBytes(.b) ?? 0)
    let hasBackward = plan.mode == .training
    backward = (
      place(hasBackward ? plan.backwardProducts : [], 0), place(hasBackward ? plan.backwardProducts : [], 1)
    )
    backwardBytes = layout.bytes
  }
}

/// One recurrence's packed weights.
struct RecurrentWeights {
  let forward: UnsafeRawPointer
  let backward: UnsafeRawPointer
  let places: RecurrentPackedPlaces

  var input: UnsafeRawPointer { forward + places.input }
  var bias: UnsafeRawPointer { forward + places.bias }
  var gateBias: UnsafeRawPointer { forward + places.gateBias }
  var peepholes: UnsafeRawPointer { forward + places.peepholes }
  func product(_ index: Int) -> UnsafeRawPointer {
    forward + (index == 0 ? places.products.0 : places.products.1)
  }
  var data: UnsafeRawPointer { backward + places.data }
  func backwardProduct(_ index: Int) -> UnsafeRawPointer {
    backward + (index == 0 ? places.backward.0 : places.backward.1)
  }
}

extension RecurrentPlan {
  var header: RecurrentPackedHeader {
    let d = descriptor
    return RecurrentPackedHeader(
      instructionSet: instructionSet.rawValue, dataType: d.dataType.rawValue, cell: d.cell.rawValue,
      directions: Int32(d.directions), biases: Int32(d.biases),
      flags: (d.hasPeepholes ? 1 : 0) | (d.direction == .bidirectionalSummed && d.layers > 1 ? 2 : 0),
      layers: Int32(d.layers), input: Int32(d.input), hidden: Int32(d.hidden), projection: Int32(d.projection),
      training: mode == .training ? 1 : 0)
  }

  /// Bytes of the packed weights.
  public var packedBytes: Int {
    RecurrentPackedHeader.bytes + forwardPackedBytes
      + recurrenceBytes { $0.backwardBytes }
  }

  /// Everything that inference needs comes first, so that its plans take what a training plan packed.
  private var forwardPackedBytes: Int { recurrenceBytes { $0.forwardBytes } }

  /// Of all recurrences; there may be 2^31 layers, so not one after the other.
  private func recurrenceBytes(_ bytes: (RecurrentPackedPlaces) -> Int) -> Int {
    descriptor.directions * (bytes(firstPlaces) + (descriptor.layers - 1) * bytes(innerPlaces))
  }

  func places(layer: Int) -> RecurrentPackedPlaces { layer == 0 ? firstPlaces : innerPlaces }

  /// The packed weights of one recurrence, in a body that stands after the header.
  func weights(_ body: UnsafeRawPointer, layer: Int, direction: Int) -> RecurrentWeights {
    let places = places(layer: layer)
    func place(_ bytes: (RecurrentPackedPlaces) -> Int) -> Int {
      (layer == 0 ? 0 : descriptor.directions * (bytes(firstPlaces) + (layer - 1) * bytes(innerPlaces)))
        + direction * bytes(places)
    }
    return RecurrentWeights(
      forward: body + place { $0.forwardBytes }, backward: body + forwardPackedBytes + place { $0.backwardBytes },
      places: places)
  }

  /// The body of packed weights. Throws `.mismatch` where they were made for another plan.
  func packedBody(_ packed: UnsafeRawPointer) throws(ApusError) -> UnsafeRawPointer {
    let found = packed.loadUnaligned(as: RecurrentPackedHeader.self)
    let expected = header
    if found.magic != RecurrentPackedHeader.magic {
      throw ApusError(.mismatch, "packed does not hold packed recurrent weights")
    }
    var same = found
    same.training = expected.training
    if same == expected && found.training >= expected.training { return packed + RecurrentPackedHeader.bytes }
    func text(_ h: RecurrentPackedHeader) -> String {
      let set = InstructionSet(rawValue: h.instructionSet)?.name ?? "instruction set \(h.instructionSet)"
      let type = DataType(rawValue: h.dataType)?.name ?? "type \(h.dataType)"
      let cell = RecurrentCell(rawValue: h.cell)?.name ?? "cell \(h.cell)"
      return "\(cell), input \(h.input), hidden \(h.hidden), projection \(h.projection), \(h.layers) layers, "
        + "\(h.directions) directions\(h.flags & 2 != 0 ? " summed" : ""), \(h.biases) biases"
        + "\(h.flags & 1 != 0 ? ", peepholes" : ""), \(h.training == 1 ? "training" : "inference"), \(type), \(set)"
    }
    throw ApusError(.mismatch, "packed was made for \(text(found)), but the plan takes \(text(expected))")
  }

  /// Weights in the framework's order into the plan's own form; `packed` has room for `packedBytes`, any alignment (64 is
  /// fastest). Serves plans of the same type, instruction set, cell, sizes, layers, directions and biases, whatever their
  /// steps and batch; what a training plan packed serves inference too. Allocates nothing.
  public func pack(
    _ parameters: UnsafeRawPointer?, into packed: UnsafeMutableRawPointer?, capacity: Int, context: ExecutionContext
  ) throws(ApusError) {
    guard let parameters else { throw .invalid("parameters", "NULL", "it has \(parameterCount) elements") }
    guard let packed else { throw .invalid("packed", "NULL", "it must have room for \(packedBytes) bytes") }
    if capacity < packedBytes {
      throw .invalid("packed_bytes", capacity, "the packed weights take \(packedBytes)")
    }
    packed.storeBytes(of: header, as: RecurrentPackedHeader.self)
    try pack(parameters, body: packed + RecurrentPackedHeader.bytes, context)
  }

  /// The same without the header.
  func pack(
    _ parameters: UnsafeRawPointer, body: UnsafeMutableRawPointer, _ context: ExecutionContext
  ) throws(ApusError) {
    let d = descriptor
    let isSmall = parameterCount < 1 << 15
    let kinds = 4
    try context.parallel(
      parts: kinds * d.layers * d.directions, slots: isSmall ? 1 : context.effectiveThreads
    ) { _, part in
      let recurrence = part / kinds
      let layer = recurrence / d.directions
      let direction = recurrence % d.directions
      let own = weights(UnsafeRawPointer(body), layer: layer, direction: direction)
      func source(_ which: RecurrentParameter) -> UnsafeRawPointer? {
        d.parameter(which, layer: layer, direction: direction).map { parameters + $0.offset * size }
      }
      func mutable(_ p: UnsafeRawPointer) -> UnsafeMutableRawPointer { UnsafeMutableRawPointer(mutating: p) }
      let inputWeights = source(.inputWeights)
      let recurrent = source(.recurrentWeights)
      switch part % kinds {
      case 0:
        // The room was counted by the same plan, so this cannot throw.
        let plan = inputProducts(layer: layer).whole
        try? plan.pack(
          .b, source: inputWeights, leading: d.layerInput(layer), into: mutable(own.input),
          capacity: plan.packedBytes(.b), context: context)
        packBiases(source(.inputBias), source(.recurrentBias), own)
        if let peepholes = source(.peepholes) {
          mutable(own.peepholes).copyMemory(from: peepholes, byteCount: 3 * d.hidden * size)
        }
      case 1:
        guard let recurrent else { return }
        packForward(recurrent, source(.projection), own)
      case 2:
        guard mode == .training, let recurrent else { return }
        packBackward(recurrent, source(.projection), own)
      default:
        guard let plan = gradientProducts(layer: layer)?.data else { return }
        try? plan.pack(
          .b, source: inputWeights, leading: d.layerInput(layer), into: mutable(own.data),
          capacity: plan.packedBytes(.b), context: context)
      }
    }
  }

  private func packBiases(_ input: UnsafeRawPointer?, _ recurrent: UnsafeRawPointer?, _ own: RecurrentWeights) {
    func sum<T: BinaryFloatingPoint>(_: T.Type) {
      guard let input = input?.assumingMemoryBound(to: T.self) else { return }
      let bias = UnsafeMutableRawPointer(mutating: own.bias).assumingMemoryBound(to: T.self)
      let rows = descriptor.gateRows
      guard let recurrent = recurrent?.assumingMemoryBound(to: T.self) else {
        bias.update(from: input, count: rows)
        return
      }
      // The reset of gate n stands between its two biases where it comes after the product.
      let shared = descriptor.cell == .gru ? 2 * descriptor.hidden : rows
      for i in 0..<shared { bias[i] = input[i] + recurrent[i] }
      for i in shared..<rows { bias[i] = input[i] }
      let gateBias = UnsafeMutableRawPointer(mutating: own.gateBias).assumingMemoryBound(to: T.self)
      for i in shared..<rows { gateBias[i - shared] = recurrent[i] }
    }
    if descriptor.dataType == .float32 { sum(Float.self) } else { sum(Double.self) }
  }

  private func packForward(_ recurrent: UnsafeRawPointer, _ projection: UnsafeRawPointer?, _ own: RecurrentWeights) {
    let d = descriptor
    let gate = d.hidden * d.state
    for (index, product) in forwardProducts.enumerated() {
      var from = recurrent
      var unitStride = d.state
      if index == 1 {
        if let projection {
          from = projection
          unitStride = d.hidden
        } else {
          from = recurrent + 2 * gate * size
        }
      }
      packPanels(
        product, from: from, gateStride: gate, unitStride: unitStride, kStride: 1, steps: 0..<product.k,
        into: UnsafeMutableRawPointer(mutating: own.product(index)))
    }
  }

  private func packBackward(_ recurrent: UnsafeRawPointer, _ projection: UnsafeRawPointer?, _ own: RecurrentWeights) {
    let d = descriptor
    let h = d.hidden
    let gate = h * d.state * size
    for (index, product) in backwardProducts.enumerated() {
      let panels = UnsafeMutableRawPointer(mutating: own.backwardProduct(index))
      func pack(_ from: UnsafeRawPointer, _ steps: Range<Int>, row: Int) {
        packPanels(
          product, from: from, gateStride: 0, unitStride: 1, kStride: row, steps: steps, into: panels)
      }
      switch (d.cell, index) {
      case (.gru, _):
        // Gate gradients lie in the order q, r, z, n.
        pack(recurrent + 2 * gate, 0..<h, row: h)
        pack(recurrent, h..<3 * h, row: h)
      case (.gruResetBefore, 1): pack(recurrent + 2 * gate, 0..<h, row: h)
      case (.lstm, 1): if let projection { pack(projection, 0..<d.projection, row: h) }
      default: pack(recurrent, 0..<product.k, row: d.state)
      }
    }
  }

  /// Elements source[gate * gateStride + unit * unitStride + (step - steps.lowerBound) * kStride] into panels, whose columns
  /// past the last unit are zero. One of the strides of unit and k is 1.
  private func packPanels(
    _ product: RecurrentProduct, from source: UnsafeRawPointer, gateStride: Int, unitStride: Int, kStride: Int,
    steps: Range<Int>, into panels: UnsafeMutableRawPointer
  ) {
    let lanes = product.lanes
    let width = 2 * lanes
    let columns = product.blockVectors * lanes
    for block in 0..<product.blocks {
      for vector in 0..<product.gates * product.blockVectors {
        let gate = vector / product.blockVectors
        let unit = block * columns + vector % product.blockVectors * lanes
        let count = max(0, min(lanes, product.units - unit))
        let from = source + (gate * gateStride + unit * unitStride) * size
        let place = block * product.panelStride + vector / 2 * product.k * width + vector % 2 * lanes
        let to = panels + (place + steps.lowerBound * width) * size
        if unitStride == 1 {
          for step in 0..<steps.count {
            let row = to + step * width * size
            row.copyMemory(from: from + step * kStride * size, byteCount: count * size)
            if count < lanes {
              (row + count * size).initializeMemory(as: UInt8.self, repeating: 0, count: (lanes - count) * size)
            }
          }
        } else if count == lanes {
          gemm.turn(from, lanes, steps.count, unitStride, to, width)
        } else {
          copyColumns(from, unitStride, count, of: lanes, steps.count, to, width)
        }
      }
    }
  }

  /// Columns one by one, and zeros after the last.
  private func copyColumns(
    _ from: UnsafeRawPointer, _ stride: Int, _ units: Int, of columns: Int, _ steps: Int,
    _ to: UnsafeMutableRawPointer, _ width: Int
  ) {
    func copy<T: BinaryFloatingPoint>(_: T.Type) {
      let from = from.assumingMemoryBound(to: T.self)
      let to = to.assumingMemoryBound(to: T.self)
      for step in 0..<steps {
        for unit in 0..<units { to[step * width + unit] = from[unit * stride + step] }
        for unit in units..<columns { to[step * width + unit] = 0 }
      }
    }
    if descriptor.dataType == .float32 { copy(Float.self) } else { copy(Double.self) }
  }
}
