// ReadFiles
