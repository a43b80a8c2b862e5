// exp, tanh and erf of float32 where a register holds a coefficient's 16 values and each lane looks its own up: polynomials
// of fewer terms, no division, and no second branch whose result is thrown away. P. Tang ("Table-driven implementation of
// the exponential function", 1989) has the principle. The coefficients lie in ApusPieces.h.

/// e^x as 2^floor(n) 2^(i / 16) e^r with n = x / ln 2 rounded to 16ths, of which i counts what is left of a whole: within
/// 1 unit in the last place, which the last operation rounds where the result is denormal.
///
/// No argument needs a bound: `scaled` goes by n alone where n is beyond everything.
@inline(__always)
func expByPieces<V: KernelVector>(_ x: V) -> V {
  typealias Scalar = V.Scalar
  // Its unit is 1/16.
  let shift = V(repeating: Scalar.roundingShift / 16)
  let shifted = V.multiplyAddNearest(shift, x, V(repeating: Scalar.log2E))
  let n = shifted - shift
  var r = V.multiplyAdd(x, n, V(repeating: -Scalar.ln2High))
  r = V.multiplyAdd(r, n, V(repeating: -Scalar.ln2Low))
  // Relative error of e^r for |r| <= ln(2) / 32: 2^-29.2.
  let t = V.multiplyAdd(r, r * r, V.multiplyAdd(V(repeating: 0x1.00022p-1), r, V(repeating: 0x1.555732p-3)))
  let power = V.expPiece(shifted)
  return V.scaled(V.multiplyAdd(power, power, t), by: n)
}

/// tanh within 1.5 units in the last place; -0 stays -0.
@inline(__always)
func tanhByPieces<V: KernelVector>(_ x: V) -> V {
  // The bound stands first, so NaN passes.
  let a = V.minimum(V(repeating: 9.5), magnitude(x))
  let bits = unsafeBitCast(a + V.one, to: V.MaskStorage.self)
  let below = V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: (1 << 21) - 1))
  let piece = unsafeBitCast(
    bits &>> V.MaskStorage(repeating: V.MaskStorage.Scalar(truncatingIfNeeded: 21)), to: V.self)
  let d = a - (unsafeBitCast(bits & ~below, to: V.self) - V.one)
  let square = d * d
  let high = V.multiplyAdd(V.tanhPiece(5, piece), V.tanhPiece(6, piece), d)
  let middle = V.multiplyAdd(V.tanhPiece(3, piece), V.tanhPiece(4, piece), d)
  let low = V.multiplyAdd(V.tanhPiece(1, piece), V.tanhPiece(2, piece), d)
  let slope = V.multiplyAdd(low, V.multiplyAdd(middle, high, square), square)
  return withSign(of: x, V.multiplyAdd(V.tanhPiece(0, piece), slope, d))
}

/// erf within 1.6 units in the last place; -0 stays -0.
@inline(__always)
func erfByPieces<V: KernelVector>(_ x: V) -> V {
  // The bound stands first, so NaN passes. It lies in the last piece, which ends at 1.
  let a = V.minimum(V(repeating: 3.8749), magnitude(x))
  // Its unit is 1/4.
  let shift = V(repeating: V.Scalar.roundingShift / 4)
  let piece = V.addNearest(a, shift)
  let d = a - (piece - shift)
  let square = d * d
  let high = V.multiplyAdd(V.erfPiece(3, piece), V.erfPiece(4, piece), d)
  let low = V.multiplyAdd(V.erfPiece(1, piece), V.erfPiece(2, piece), d)
  let slope = V.multiplyAdd(low, V.multiplyAdd(high, V.erfPiece(5, piece), square), square)
  // The first piece's 0 is less than its d, whose share is not in the slope there; the others' is more.
  return withSign(of: x, V.multiplyAdd(V.maximum(V.erfPiece(0, piece), d), slope, d))
}
