// StageScheduler
