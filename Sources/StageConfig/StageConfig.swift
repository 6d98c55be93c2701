// StageConfig
