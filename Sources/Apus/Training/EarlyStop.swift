/// Ends a training where a figure no longer falls.
public struct EarlyStop: Sendable {
  /// Epochs in a row that may fail to be better.
  public let patience: Int
  /// What counts as better: so much below the lowest.
  public let minimumChange: Double
  /// Whether the model gets the parameters and buffers of the best epoch at the end.
  public let restoresBest: Bool
  /// The figure: the name of a metric, which is to rise, or nil: the loss, which is to fall. Of the validation, if there is one.
  public let metric: String?
  /// The best figure, its sign such that less is better.
  var best = Double.infinity
  /// Epochs since.
  var waited = 0

  /// A rule.
  public init(patience: Int, minimumChange: Double = 0, restoresBest: Bool = false, metric: String? = nil) {
    require(patience >= 0, "EarlyStop: the patience is at least 0, not \(patience)")
    self.patience = patience
    self.minimumChange = minimumChange
    self.restoresBest = restoresBest
    self.metric = metric
  }

  /// Takes the figure of an epoch, less being better. Whether it is the best, and whether the training ends.
  mutating func update(_ figure: Double) -> (isBest: Bool, ends: Bool) {
    if figure < best - minimumChange {
      best = figure
      waited = 0
      return (true, false)
    }
    waited += 1
    return (false, waited > patience)
  }
}
