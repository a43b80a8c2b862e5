/// Matrix multiplication.
public enum Gemm: Family {
  /// `kbench gemm`.
  public static let name = "gemm"

  /// For --help.
  public static let grammar = """
    A problem is MxNxK[:OPTION]...: C = op(A) op(B), where op(A) is M x K, op(B) K x N and C M x N.
    Options:
      NN NT TN TT   whether A and B lie transposed in memory (default NN)
      f32 f64       type of the data (default: --type)
      col           column-major (default: row-major)
      bCOUNT        a batch of COUNT problems, e.g. b16
      beta=X        C = op(A) op(B) + X C (default 0)
      packa packb   A or B is packed ahead of time, which is not measured
      rowinv        a plan in which a row of C has the same bits however many other rows there are
      bias          adds one number to each column
      relu leaky elu sigmoid tanh   applies an activation
    Examples: 1024x1024x1024:TN   64x1000x2048:NT:f64   16x4096x1024:packb:bias:relu
    """

  /// Shapes of the field; "default" is what kbench shows first.
  public static let presets = [
    Preset(
      "default",
      [
        "8x8x8", "32x32x32", "64x64x64", "128x128x128", "256x256x256", "1024x1024x1024", "1024x1024x1024:f64",
        "1x4096x1024", "4096x1x1024", "16x4096x1024", "64x1000x2048:NT", "3136x64x576", "8x8x8192",
      ]),
    Preset("cubes", [8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048].map { "\($0)x\($0)x\($0)" }),
    Preset(
      "small",
      [5, 8, 12, 16, 24, 32, 48, 64].flatMap { n in ["NN", "NT", "TN", "TT"].map { "\(n)x\(n)x\(n):\($0)" } }),
    Preset(
      "dl",
      [
        "64x1000x2048", "64x1000x2048:NT", "3136x64x576", "196x256x2304", "49x512x4608", "128x4096x1024", "32x2048x512",
        "16x4096x1024", "16x4096x1024:packb", "64x120x400", "64x10x84", "512x768x768:NT", "512x3072x768:NT",
        "128x128x64:NT:b12",
      ]),
    Preset(
      "gemv",
      ["1x4096x1024", "4096x1x1024"].flatMap { size in ["NN", "NT", "TN"].map { "\(size):\($0)" } }
        + ["1x256x256", "256x1x256", "1x16384x4096", "16384x1x4096"]),
  ]

  /// BLAS libraries.
  public static let peers = BlasLibrary.known

  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try GemmProblem(text, type: type)
  }
}
