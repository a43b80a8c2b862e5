import ApusKernelInterface
import ApusShims

/// What stands before the panels of a packed operand. The buffer holds no pointer, so it may be moved and stored.
///
/// Packed A: for each block of k, the row tiles one after the other, each `[k][rows of the tile]`. Packed B: for each
/// block of k, the column panels one after the other, each `[k][tile columns]`, padded.
struct PackedOperandHeader: Equatable {
  static let magic: UInt64 = 0x3150_4b43_5355_5041  // "APUSCKP1"
  static let bytes = 64

  var magic = Self.magic
  var instructionSet: Int32
  var dataType: Int32
  /// 0: rows by tiles, 1: columns by panels.
  var form: Int32
  var reserved: Int32 = 0
  /// m (or n) and k.
  var length: Int
  var k: Int
  var padding0 = 0
  var padding1 = 0
  var padding2 = 0
}

/// Which operand, in the caller's sense; raw values are the C header's.
public enum GemmOperand: Int32, CaseIterable, Sendable {
  case a = 0
  case b = 1
}

extension GemmPlan {
  /// Whether the caller's operand is the one that the tile broadcasts from, after a swap.
  private func isRowOperand(_ operand: GemmOperand) -> Bool { (operand == .a) != problem.isSwapped }

  private func isPacked(_ operand: GemmOperand) -> Bool {
    operand == .a ? descriptor.packedA : descriptor.packedB
  }

  /// Bytes of the packed operand, 0 where the plan does not take it packed.
  public func packedBytes(_ operand: GemmOperand) -> Int {
    guard isPacked(operand) else { return 0 }
    let elements = isRowOperand(operand) ? problem.m * problem.k + kernels.lanes : paddedColumns * problem.k
    return PackedOperandHeader.bytes + (elements * size).roundedUp(to: 64)
  }

  func header(_ operand: GemmOperand) -> PackedOperandHeader {
    PackedOperandHeader(
      instructionSet: instructionSet.rawValue, dataType: descriptor.dataType.rawValue,
      form: isRowOperand(operand) ? 0 : 1, length: isRowOperand(operand) ? problem.m : problem.n, k: problem.k)
  }

  /// Packs a matrix as it lies in memory, with leading dimension `leading` and the plan's order and transposition, into
  /// `packed`, which has room for `packedBytes(operand)`. Allocates nothing. Throws `.invalidArgument` where the plan
  /// does not take the operand packed, the room is too small or the leading dimension is.
  public func pack(
    _ operand: GemmOperand, source: UnsafeRawPointer?, leading: Int, into packed: UnsafeMutableRawPointer?,
    capacity: Int, context: ExecutionContext
  ) throws(ApusError) {
    guard isPacked(operand) else {
      throw .invalid("operand", operand == .a ? "A" : "B", "the plan was made without its PACKED flag")
    }
    guard let packed else { throw .invalid("packed", "NULL", "it must have room for \(packedBytes(operand)) bytes") }
    if capacity < packedBytes(operand) {
      throw .invalid("packed_bytes", capacity, "the packed operand takes \(packedBytes(operand))")
    }
    let rowMajor = descriptor.order == .rowMajor
    let transposed = operand == .a ? descriptor.transposeA : descriptor.transposeB
    // Length of a row or column as it lies in memory, and whether it runs along k.
    let runsAlongK = (operand == .a) == (transposed != rowMajor)
    let outer = operand == .a ? descriptor.m : descriptor.n
    let row = runsAlongK ? problem.k : outer
    let count = runsAlongK ? outer : problem.k
    if leading < max(1, row) {
      throw .invalid("ld", leading, "it must be at least max(1, \(row)), the length of a row of the matrix in memory")
    }
    if (CheckedSize(leading) * count * size).overflowed {
      throw .invalid("ld", leading, "the bytes of the matrix must fit 63 bits")
    }
    let isEmpty = problem.k == 0 || outer == 0
    if source == nil && !isEmpty {
      throw .invalid("source", "NULL", "the matrix has \(outer) x \(problem.k) elements")
    }
    packed.storeBytes(of: header(operand), as: PackedOperandHeader.self)
    guard let source, !isEmpty else { return }
    let panels = packed + PackedOperandHeader.bytes
    let stepStride = runsAlongK ? 1 : leading
    let outerStride = runsAlongK ? leading : 1
    // One block of k after the other: each writes a stretch of its own, but for the lanes past a stretch of A, which
    // the next block overwrites.
    for i in 0..<kBlocks.count {
      let start = kBlocks.start(i)
      let from = source + start * stepStride * size
      if isRowOperand(operand) {
        var tiles = rowTiles
        kernels.packA(
          from, &tiles, problem.m, kBlocks.length(i), outerStride, stepStride, panels + start * problem.m * size)
      } else {
        kernels.packB(
          from, kBlocks.length(i), problem.n, stepStride, outerStride, panels + start * paddedColumns * size)
      }
    }
  }

  /// The panels of a packed operand. Throws `.mismatch` where it was made for another plan.
  func panels(_ operand: GemmOperand, _ packed: UnsafeRawPointer) throws(ApusError) -> UnsafeRawPointer {
    let found = packed.loadUnaligned(as: PackedOperandHeader.self)
    let expected = header(operand)
    if found == expected { return packed + PackedOperandHeader.bytes }
    let name = operand == .a ? "a" : "b"
    if found.magic != PackedOperandHeader.magic {
      throw ApusError(
        .mismatch, "\(name) is not a packed operand, but the plan has the flag PACKED_\(name == "a" ? "A" : "B")")
    }
    func text(_ h: PackedOperandHeader) -> String {
      let set = InstructionSet(rawValue: h.instructionSet)?.name ?? "instruction set \(h.instructionSet)"
      let type = DataType(rawValue: h.dataType)?.name ?? "type \(h.dataType)"
      return "\(h.form == 0 ? "rows" : "columns") \(h.length), k \(h.k), \(type), \(set)"
    }
    throw ApusError(.mismatch, "\(name) was packed for \(text(found)), but the plan takes \(text(expected))")
  }
}
