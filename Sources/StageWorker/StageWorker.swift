// StageWorker
